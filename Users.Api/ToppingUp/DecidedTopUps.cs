using Microsoft.EntityFrameworkCore;
using Outbox;

namespace Users;

/// <summary>
/// Follows up what was decided about a top-up's half message behind its back, by an operator: the row says so, and money
/// that may have been taken for a message that was rolled back is given back, however often that has to be tried.
/// </summary>
internal sealed class DecidedTopUps(UsersDb db, Payments payments) : IChore
{
    private const int Batch = 100;

    public static TimeSpan Period => TimeSpan.FromSeconds(30);

    public async Task Do(CancellationToken cancellationToken)
    {
        var decided = await db.TopUps
            .Where(topUp => topUp.State == TopUpState.Pending)
            .Join(
                db.Set<OutboxMessage>().Where(message => message.State != OutboxMessageState.Prepared),
                topUp => topUp.MessageId,
                message => message.MessageId,
                (topUp, message) => new { TopUp = topUp, message.State })
            .OrderBy(row => row.TopUp.StartedAt)
            .Take(Batch)
            .ToListAsync(cancellationToken);
        foreach (var row in decided)
        {
            if (row.State == OutboxMessageState.RolledBack)
            {
                await payments.Refund(row.TopUp.Id, cancellationToken);
            }

            row.TopUp.State = row.State == OutboxMessageState.RolledBack ? TopUpState.Failed : TopUpState.Succeeded;
            await db.SaveChangesAsync(cancellationToken);
        }
    }
}
