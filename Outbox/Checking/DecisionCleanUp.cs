using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Checking;

/// <summary>
/// Forgets decisions that are older than <see cref="OutboxOptions.DecisionRetention"/>, in small batches found by their index;
/// the markers of the local work, where there are any, right before. One replica does it: the owner of the first partition.
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
        var (total, found, forgotten) = (0, 0, 0);
        do
        {
            (found, forgotten) = await Batch(cancellationToken).ConfigureAwait(false);
            total += forgotten;
        }
        while (found == BatchSize && forgotten > 0);
        if (total > 0)
            logger.DecisionsForgotten(total, registration.DbContextType.Name);
        return total;
    }

    private async Task<(int Found, int Forgotten)> Batch(CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow().UtcDateTime - registration.Options.DecisionRetention;
        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            var rows = await dbContext.Set<OutboxMessage>()
                .Where(m => (int)m.State >= FirstDecided && m.ClosedAt <= before)
                .OrderBy(m => m.ClosedAt)
                .Take(BatchSize)
                .Select(m => new { m.SequenceNumber, m.MessageId, m.MessageType })
                .ToListAsync(cancellationToken).ConfigureAwait(false);

            var gone = new List<long>();
            foreach (var ofType in rows.GroupBy(r => registration.Options.CheckBacks.For(r.MessageType)))
            {
                if (await ForgetMarkers(scope.ServiceProvider, ofType.Key, [.. ofType.Select(r => r.MessageId)], cancellationToken).ConfigureAwait(false))
                    gone.AddRange(ofType.Select(r => r.SequenceNumber));
            }

            if (gone.Count == 0)
                return (rows.Count, 0);
            return (rows.Count, await dbContext.Set<OutboxMessage>()
                .Where(m => gone.Contains(m.SequenceNumber) && (int)m.State >= FirstDecided)
                .ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false));
        }
    }

    /// <summary>Markers first: a decision that is forgotten could not tell any more that its marker may go.</summary>
    private async Task<bool> ForgetMarkers(IServiceProvider services, CheckBack? checkBack, IReadOnlyCollection<Guid> messageIds, CancellationToken cancellationToken)
    {
        try
        {
            if (checkBack?.Checker(services) is IMarkers markers)
                await markers.Forget(messageIds, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            logger.MarkersNotForgotten(checkBack!.MessageType.Name, exception);
            return false;
        }
    }
}

/// <summary>Markers of the local work that can be forgotten once the outbox has decided.</summary>
internal interface IMarkers
{
    /// <summary>Deletes the markers of these messages.</summary>
    Task Forget(IReadOnlyCollection<Guid> messageIds, CancellationToken cancellationToken);
}
