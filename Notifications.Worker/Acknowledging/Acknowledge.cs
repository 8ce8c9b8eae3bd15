using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>Takes note that a receiver knows: its notifications, and all that was still to be attempted for them.</summary>
public sealed class Acknowledge(NotificationsDb db, TimeProvider time)
{
    /// <summary>Acknowledges the receiver's own among these; what is acknowledged already stays as it is.</summary>
    /// <returns>The ids that are acknowledged now. The others are not the receiver's.</returns>
    public async Task<List<Guid>> Run(Guid receiverId, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        var now = time.UtcNow();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var own = db.Notifications.Where(n => n.ReceiverId == receiverId && ids.Contains(n.Id));

        // The notification first, as everywhere: whoever adds a delivery to it has locked it, too.
        await own.Where(n => n.AcknowledgedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(n => n.AcknowledgedAt, now), cancellationToken);
        var acknowledged = await own.Select(n => n.Id).ToListAsync(cancellationToken);
        await db.Deliveries
            .Where(d => acknowledged.Contains(d.NotificationId) && d.State != DeliveryState.Acknowledged)
            .ExecuteUpdateAsync(
                set => set
                    .SetProperty(d => d.State, DeliveryState.Acknowledged)
                    .SetProperty(d => d.NextAttemptAt, (DateTime?)null)
                    .SetProperty(d => d.LeaseUntil, (DateTime?)null)
                    .SetProperty(d => d.UpdatedAt, now),
                cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return acknowledged;
    }
}
