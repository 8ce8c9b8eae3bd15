using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Checking;

/// <summary>
/// Forgets decisions that are older than <see cref="OutboxOptions.DecisionRetention"/>, in small batches found by their index;
/// the markers of the local work, where there are any, right before. One replica does it: the owner of the first partition. What it
/// has no check-back for may have markers that another replica could delete, and is remembered for twice the time.
/// </summary>
internal sealed class DecisionCleanUp(OutboxRegistration registration, OutboxStore store, TimeProvider time, ILogger logger)
{
    private const int BatchSize = 1000;
    private const int FirstDecided = (int)OutboxMessageState.RolledBack;
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private TimeSpan _next = TimeSpan.MinValue;

    /// <summary>Once in a while.</summary>
    public async Task RunWhenDue(CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(0) < _next || !registration.OwnedPartitions.Contains(0))
            return;
        _next = time.GetElapsedTime(0) + Period;
        await RunOnce(cancellationToken).ConfigureAwait(false);
    }

    /// <returns>How many decisions were forgotten.</returns>
    public async Task<int> RunOnce(CancellationToken cancellationToken)
    {
        // Types whose markers cannot be deleted now keep no other waiting.
        var (total, found, kept) = (0, 0, new List<string>());
        do
        {
            (found, var forgotten) = await Batch(kept, cancellationToken).ConfigureAwait(false);
            total += forgotten;
        }
        while (found == BatchSize);
        if (total > 0)
            logger.DecisionsForgotten(total, registration.DbContextType.Name);
        return total;
    }

    private async Task<(int Found, int Forgotten)> Batch(List<string> kept, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow().UtcDateTime - registration.Options.DecisionRetention;
        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            var free = await store.FreeMessages(dbContext, cancellationToken).ConfigureAwait(false);
            var rows = await free
                .Where(m => (int)m.State >= FirstDecided && m.ClosedAt <= before && !kept.Contains(m.MessageType))
                .OrderBy(m => m.ClosedAt)
                .Take(BatchSize)
                .Select(m => new Decided(m.SequenceNumber, m.MessageId, m.MessageType, m.ClosedAt!.Value))
                .ToListAsync(cancellationToken).ConfigureAwait(false);

            var gone = new List<long>();
            foreach (var ofType in rows.GroupBy(r => r.MessageType, StringComparer.Ordinal))
            {
                var able = await Free(scope.ServiceProvider, ofType.Key, [.. ofType], before, cancellationToken).ConfigureAwait(false);
                gone.AddRange(able.Select(r => r.SequenceNumber));
                if (able.Count < ofType.Count())
                    kept.Add(ofType.Key);
            }

            if (gone.Count == 0)
                return (rows.Count, 0);
            return (rows.Count, await dbContext.Set<OutboxMessage>()
                .Where(m => gone.Contains(m.SequenceNumber) && (int)m.State >= FirstDecided)
                .ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false));
        }
    }

    /// <summary>Those that can go. Markers first: a decision that is forgotten could not tell any more that its marker may go.</summary>
    private async Task<IReadOnlyCollection<Decided>> Free(
        IServiceProvider services, string messageType, IReadOnlyCollection<Decided> rows, DateTime before, CancellationToken cancellationToken)
    {
        if (registration.Options.CheckBacks.For(messageType) is not { } checkBack)
            return [.. rows.Where(r => r.ClosedAt <= before - registration.Options.DecisionRetention)];

        // No longer than a check: a database that does not answer keeps the checks waiting meanwhile.
        using var limit = new CancellationTokenSource(checkBack.Options.CheckTimeout, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            if (checkBack.Checker(services) is IMarkers markers)
                await markers.Forget([.. rows.Select(r => r.MessageId)], ending.Token).ConfigureAwait(false);
            return rows;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            logger.MarkersNotForgotten(checkBack.MessageType.Name, exception);
            return [];
        }
    }

    private sealed record Decided(long SequenceNumber, Guid MessageId, string MessageType, DateTime ClosedAt);
}

/// <summary>Markers of the local work that can be forgotten once the outbox has decided.</summary>
internal interface IMarkers
{
    /// <summary>Deletes the markers of these messages.</summary>
    Task Forget(IReadOnlyCollection<Guid> messageIds, CancellationToken cancellationToken);
}
