using Microsoft.EntityFrameworkCore;

namespace Notifications;

internal static class NotificationLock
{
    /// <summary>
    /// Locks those of the notifications that are not acknowledged until the transaction's end: an acknowledgement made
    /// meanwhile waits, and then finds the deliveries that were begun.
    /// </summary>
    /// <returns>Whether there were any.</returns>
    public static async Task<bool> LockUnacknowledged(
        this NotificationsDb db, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) =>
        await db.Notifications.Where(n => ids.Contains(n.Id) && n.AcknowledgedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(n => n.AcknowledgedAt, n => n.AcknowledgedAt), cancellationToken) > 0;
}
