using Microsoft.EntityFrameworkCore;
using Outbox.Capturing;
using Outbox.Databases;

namespace Outbox.Receiving;

/// <summary>One delivery's work in the inbox's transaction, from the claim to the save before the commit.</summary>
internal sealed class InboxWork(InboxEntry entry, DbContext dbContext, InboxTransaction transaction, OutboxCapture capture, InboxStatements statements, TimeSpan window, TimeProvider time)
{
    private TimeSpan? _redelivery;

    public InboxEntry Entry => entry;

    public OutboxCapture Capture => capture;

    public TimeProvider Time => time;

    /// <summary>The message is not consumed after all: its copy, due after <paramref name="delay"/>, is awaited.</summary>
    public void AwaitRedelivery(TimeSpan delay) => _redelivery = delay > _redelivery ? delay : _redelivery ?? delay;

    /// <summary>Undoes what a routing slip's activity did before it failed.</summary>
    public async Task ForgetActivity(CancellationToken cancellationToken)
    {
        dbContext.ChangeTracker.Clear();
        await transaction.Forget(cancellationToken).ConfigureAwait(false);
        _redelivery = null;
    }

    /// <summary>Stores what the consumer changed and sent, and makes sure that the commit will keep it.</summary>
    public async Task Save(CancellationToken cancellationToken)
    {
        var written = await SaveChanges(cancellationToken).ConfigureAwait(false);
        if (_redelivery is { } delay)
            written += await AwaitCopy(delay, cancellationToken).ConfigureAwait(false);
        if (written == 0 && statements.TransactionCheck is { } check)
            await dbContext.Execute(statements, check, cancellationToken).ConfigureAwait(false);
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

    private Task<int> AwaitCopy(TimeSpan delay, CancellationToken cancellationToken)
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
