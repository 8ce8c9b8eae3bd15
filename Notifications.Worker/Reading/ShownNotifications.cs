using Microsoft.EntityFrameworkCore;

namespace Notifications;

internal static class ShownNotifications
{
    /// <summary>
    /// A receiver's notifications in the state that they are shown in. One that nobody is told of by HTTP is held: it waits
    /// to be asked for.
    /// </summary>
    public static IQueryable<ShownNotification> Shown(this NotificationsDb db, Guid receiverId) =>
        from notification in db.Notifications.AsNoTracking()
        where notification.ReceiverId == receiverId
        select new ShownNotification
        {
            Notification = notification,
            Event = notification.Event,
            Status = notification.AcknowledgedAt != null
                ? DeliveryState.Acknowledged
                : db.Deliveries.Where(d => d.NotificationId == notification.Id).Min(d => (DeliveryState?)d.State) ?? DeliveryState.Held,
        };
}
