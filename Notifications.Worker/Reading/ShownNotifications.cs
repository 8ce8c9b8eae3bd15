using Microsoft.EntityFrameworkCore;

namespace Notifications;

internal static class ShownNotifications
{
    /// <summary>
    /// A receiver's notifications in the state that they are shown in. One that nobody is told of by HTTP, or only endpoints that are
    /// deleted, is held: it waits to be asked for.
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
                : db.Counted().Where(d => d.NotificationId == notification.Id).Min(d => (DeliveryState?)d.State) ?? DeliveryState.Held,
        };

    /// <summary>
    /// The deliveries that say how far a notification is. What a deleted endpoint did not take, nobody waits for any more: it would hold
    /// the notification back for ever.
    /// </summary>
    public static IQueryable<Delivery> Counted(this NotificationsDb db) =>
        db.Deliveries.Where(d => d.State == DeliveryState.Delivered || !db.Endpoints.Any(e => e.Id == d.EndpointId && e.State == EndpointState.Deleted));
}
