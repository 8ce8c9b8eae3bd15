using Microsoft.EntityFrameworkCore;
using Outbox.Capturing;

namespace Outbox.Receiving;

/// <summary>The work of one message, or of one batch of them, in the inbox's transaction, from the claim to the save before the commit.</summary>
internal sealed class InboxWork(DbContext dbContext, InboxTransaction transaction, OutboxCapture capture, TimeSpan window, TimeProvider time)
{
    private readonly Dictionary<InboxEntry, TimeSpan> _redeliveries = [];

    public OutboxCapture Capture => capture;

    public TimeProvider Time => time;

    /// <summary>The message is not consumed after all: its copy, due after <paramref name="delay"/>, is awaited.</summary>
    public void AwaitRedelivery(InboxEntry entry, TimeSpan delay)
        => _redeliveries[entry] = _redeliveries.TryGetValue(entry, out var known) && known > delay ? known : delay;

    /// <summary>Undoes what a routing slip's activity did before it failed.</summary>
    public async Task ForgetActivity(CancellationToken cancellationToken)
    {
        dbContext.ChangeTracker.Clear();
        await transaction.Forget(cancellationToken).ConfigureAwait(false);
        _redeliveries.Clear();
    }

    /// <summary>Stores what the consumer changed and sent, and makes sure that the commit will keep it.</summary>
    public async Task Save(CancellationToken cancellationToken)
    {
        var written = await SaveChanges(cancellationToken).ConfigureAwait(false);
        foreach (var (entry, delay) in _redeliveries)
            written += await AwaitCopy(entry, delay, cancellationToken).ConfigureAwait(false);
        if (written == 0)
            await transaction.Check(cancellationToken).ConfigureAwait(false);
    }

    private async Task<int> SaveChanges(CancellationToken cancellationToken)
    {
        // A failed save ends the whole transaction, so a savepoint around it would only cost two commands.
        var savepoints = dbContext.Database.AutoSavepointsEnabled;
        dbContext.Database.AutoSavepointsEnabled = false;
        try
        {
            return await dbContext.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            dbContext.Database.AutoSavepointsEnabled = savepoints;
        }
    }

    private Task<int> AwaitCopy(InboxEntry entry, TimeSpan delay, CancellationToken cancellationToken)
    {
        var expires = time.GetUtcNow().UtcDateTime + delay + window;
        return dbContext.Set<InboxMessage>()
            .Where(m => m.MessageId == entry.MessageId && m.ConsumerId == entry.ConsumerId)
            .ExecuteUpdateAsync(
                set => set
                    .SetProperty(m => m.Pass, entry.Pass + 1)
                    .SetProperty(m => m.ConsumedAt, (DateTime?)null)
                    .SetProperty(m => m.ExpiresAt, expires),
                cancellationToken);
    }
}
