using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>The sent messages that an outbox keeps because the transport forgets.</summary>
internal abstract class KeptMessages
{
    /// <summary>A message could not be consumed: if this outbox sent it, its row says so from now on.</summary>
    /// <returns>Whether the message was this outbox's.</returns>
    public abstract Task<bool> KeepAsDead(Guid messageId, Exception exception);

    /// <summary>When the oldest message was captured (UTC) that a start would send again; <see langword="null"/> when there is none.</summary>
    public abstract Task<DateTime?> OldestKept(CancellationToken cancellationToken);
}

/// <inheritdoc/>
internal sealed class KeptMessages<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, TimeProvider time, ILogger<InboxMessage> logger)
    : KeptMessages
    where TDbContext : DbContext
{
    /// <inheritdoc/>
    public override async Task<bool> KeepAsDead(Guid messageId, Exception exception)
    {
        try
        {
            var scope = store.Open(out var dbContext);
            await using (scope.ConfigureAwait(false))
            {
                var now = time.GetUtcNow().UtcDateTime;
                var error = ErrorText.Of(exception);

                // Found by looking through the kept rows: failures for good are rare, and an index of its own would be paid for by
                // every message. Still pending, without a due time: the consumer was faster than the note that it was sent.
                var rows = dbContext.Set<OutboxMessage>();
                var kept = await Die(rows.Where(m => m.State != OutboxMessageState.Pending && m.State == OutboxMessageState.Sent)).ConfigureAwait(false);
                if (kept == 0)
                    kept = await Die(rows.Where(m => m.State == OutboxMessageState.Pending && m.DueAt == null)).ConfigureAwait(false);
                if (kept > 0)
                    InboxLog.KeptAsDead(logger, messageId, typeof(TDbContext).Name, exception);
                return kept > 0;

                Task<int> Die(IQueryable<OutboxMessage> among) => among
                    .Where(m => m.MessageId == messageId)
                    .ExecuteUpdateAsync(set => set
                        .SetProperty(m => m.State, OutboxMessageState.Dead)
                        .SetProperty(m => m.ClosedAt, now)
                        .SetProperty(m => m.LastError, error));
            }
        }
        catch (Exception failure)
        {
            // The row stays as sent, and is sent again at the next start.
            InboxLog.KeepingFailed(logger, messageId, typeof(TDbContext).Name, failure);
            return false;
        }
    }

    /// <inheritdoc/>
    public override async Task<DateTime?> OldestKept(CancellationToken cancellationToken)
    {
        if (!registration.Options.RedeliverOnStart)
            return null;

        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            return await dbContext.Set<OutboxMessage>()
                .Where(m => m.State != OutboxMessageState.Pending && m.State == OutboxMessageState.Sent)
                .MinAsync(m => (DateTime?)m.CreatedAt, cancellationToken).ConfigureAwait(false);
        }
    }
}
