using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications;

namespace Services.Tests;

/// <summary>Puts rows where a service would have come to by itself.</summary>
internal static class Rows
{
    /// <summary>Stores a notification for a receiver, with a delivery in each of these states, each to an endpoint of its own.</summary>
    public static Task<Guid> StoreNotification(
        this ServiceApp<NotificationsDb> app, string key, string type, DeliveryState[] states, string receiver = "default") =>
        app.InDb(async db =>
        {
            var receiverId = await db.Receivers.Where(r => r.Name == receiver).Select(r => r.Id).SingleAsync();
            var notification = new Notification
            {
                Id = NewId.NextGuid(),
                ReceiverId = receiverId,
                Event = new BusinessEvent { Id = NewId.NextGuid(), Type = type, BusinessKey = key, Body = """{"data":{}}"""u8.ToArray() },
                AcknowledgedAt = states.Contains(DeliveryState.Acknowledged) ? DateTime.UnixEpoch : null,
                CreatedAt = DateTime.UnixEpoch.AddSeconds(await db.Notifications.CountAsync()),   // one after another
            };
            db.Notifications.Add(notification);
            foreach (var state in states)
            {
                var endpoint = NewEndpoint(receiverId);
                db.Endpoints.Add(endpoint);
                db.Deliveries.Add(new Delivery { Id = NewId.NextGuid(), NotificationId = notification.Id, EndpointId = endpoint.Id, State = state });
            }

            await db.SaveChangesAsync();
            return notification.Id;
        });

    /// <summary>Stores many notifications for the receiver <c>default</c>, with deliveries to one endpoint.</summary>
    public static Task<int> StoreNotifications(this ServiceApp<NotificationsDb> app, int count, DeliveryState state) => app.InDb(async db =>
    {
        var endpoint = NewEndpoint(await db.Receivers.Where(r => r.Name == "default").Select(r => r.Id).SingleAsync());
        db.Endpoints.Add(endpoint);
        for (var i = 0; i < count; i++)
        {
            var notification = new Notification
            {
                Id = NewId.NextGuid(),
                ReceiverId = endpoint.ReceiverId,
                Event = new BusinessEvent { Id = NewId.NextGuid(), Type = "topup.succeeded", BusinessKey = NewId.NextGuid().ToString() },
            };
            db.Notifications.Add(notification);
            db.Deliveries.Add(new Delivery { Id = NewId.NextGuid(), NotificationId = notification.Id, EndpointId = endpoint.Id, State = state });
        }

        return await db.SaveChangesAsync();
    });

    /// <summary>An endpoint that wants every event of these tests; its state keeps the deliverer away from it.</summary>
    public static WebhookEndpoint NewEndpoint(Guid receiverId, EndpointState state = EndpointState.Paused) => new()
    {
        Id = NewId.NextGuid(),
        ReceiverId = receiverId,
        Url = "https://receiver.test/hook",
        EventTypes = EventTypeList.Write(["points.credited", "topup.succeeded", "user.registered"]),
        Secret = [],
        State = state,
    };
}
