using Microsoft.EntityFrameworkCore;

namespace Notifications;

/// <summary>Gives committed notifications their places in the feed.</summary>
/// <remarks>
/// A number drawn while inserting would be visible in the order of the commits, not of the numbers: a reader that has
/// seen 7 never looks for a 6 that is committed later. So rows are numbered after their commit, by one at a time: whoever
/// holds the counter's row sees every number that was given before, and commits its own together with the counter.
/// </remarks>
public sealed class FeedSequencer(NotificationsDb db, FeedSignal signal)
{
    internal const int Batch = 500;

    /// <summary>Numbers what has no number, up to a batch.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> RunOnce(CancellationToken cancellationToken)
    {
        if (!await db.Notifications.AnyAsync(n => n.Position == null, cancellationToken))
        {
            return 0;
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);

        // The lock first: what is read after it is what all who held it before have committed.
        var counter = db.FeedCounters.Where(c => c.Id == FeedCounter.TheOne);
        await counter.ExecuteUpdateAsync(set => set.SetProperty(c => c.Last, c => c.Last), cancellationToken);
        var last = await counter.Select(c => c.Last).SingleAsync(cancellationToken);
        var rows = await db.Notifications
            .Where(n => n.Position == null)
            .OrderBy(n => n.CreatedAt).ThenBy(n => n.Id)
            .Take(Batch)
            .ToListAsync(cancellationToken);
        foreach (var row in rows)
        {
            row.Position = ++last;
        }

        await db.SaveChangesAsync(cancellationToken);
        await counter.ExecuteUpdateAsync(set => set.SetProperty(c => c.Last, last), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        signal.Tell(rows.Select(row => row.ReceiverId).Distinct());
        return rows.Count;
    }
}
