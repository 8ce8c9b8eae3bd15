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
}

/// <inheritdoc/>
internal sealed class KeptMessages<TDbContext>(OutboxStore<TDbContext> store, TimeProvider time, ILogger<InboxMessage> logger) : KeptMessages
    where TDbContext : DbContext
{
    private const int MaxErrorLength = 2048;

    /// <inheritdoc/>
    public override async Task<bool> KeepAsDead(Guid messageId, Exception exception)
    {
        try
        {
            var scope = store.Open(out var dbContext);
            await using (scope.ConfigureAwait(false))
            {
                var now = time.GetUtcNow().UtcDateTime;
                var error = $"{exception.GetType().FullName}: {exception.Message}";
                error = error.Length > MaxErrorLength ? error[..MaxErrorLength] : error;

                // Still pending, without a due time: the consumer was faster than the relay's note that it was sent.
                var kept = await dbContext.Set<OutboxMessage>()
                    .Where(m => m.MessageId == messageId
                        && (m.State == OutboxMessageState.Sent || (m.State == OutboxMessageState.Pending && m.DueAt == null)))
                    .ExecuteUpdateAsync(set => set
                        .SetProperty(m => m.State, OutboxMessageState.Dead)
                        .SetProperty(m => m.ClosedAt, now)
                        .SetProperty(m => m.LastError, error)).ConfigureAwait(false);
                if (kept > 0)
                    InboxLog.KeptAsDead(logger, messageId, typeof(TDbContext).Name, exception);
                return kept > 0;
            }
        }
        catch (Exception failure)
        {
            // The row stays as sent, and is sent again at the next start.
            InboxLog.KeepingFailed(logger, messageId, typeof(TDbContext).Name, failure);
            return false;
        }
    }
}
