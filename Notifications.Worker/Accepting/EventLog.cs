using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications.Delivering;
using Outbox;
using ServiceDefaults;

namespace Notifications;

/// <summary>
/// Takes in what happened, once: the event, a notification for each receiver that is to be told, a delivery for each of
/// its endpoints, and a message that wakes the first attempt.
/// </summary>
public sealed class EventLog(NotificationsDb db, IOutbox<NotificationsDb> outbox, TimeProvider time)
{
    /// <summary>Adds all that, to be saved by the caller in one transaction; nothing when the event is there already.</summary>
    public async Task Add(Happening happening, CancellationToken cancellationToken)
    {
        if (await db.Events.AnyAsync(e => e.Type == happening.Type && e.BusinessKey == happening.BusinessKey, cancellationToken))
        {
            return;   // told before, under another message id
        }

        var now = time.UtcNow();
        var happened = new BusinessEvent
        {
            Id = NewId.NextGuid(),
            Type = happening.Type,
            BusinessKey = happening.BusinessKey,
            Body = EventBody.Write(happening),
            OccurredAt = happening.OccurredAt,
            TraceParent = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null,
            CreatedAt = now,
        };
        db.Events.Add(happened);
        foreach (var (receiverId, endpoints) in await Subscribed(happening.Type, cancellationToken))
        {
            var notification = new Notification { Id = NewId.NextGuid(), ReceiverId = receiverId, Event = happened, CreatedAt = now };
            db.Notifications.Add(notification);
            foreach (var endpoint in endpoints)
            {
                await AddDelivery(notification.Id, endpoint, now, cancellationToken);
            }
        }
    }

    private async Task AddDelivery(
        Guid notificationId, SubscribedEndpoint endpoint, DateTime now, CancellationToken cancellationToken)
    {
        var isActive = endpoint.State == EndpointState.Active;
        var delivery = new Delivery
        {
            Id = NewId.NextGuid(),
            NotificationId = notificationId,
            EndpointId = endpoint.Id,
            State = isActive ? DeliveryState.Pending : DeliveryState.Held,
            NextAttemptAt = isActive ? now : null,
            CreatedAt = now,
            UpdatedAt = now,
        };
        db.Deliveries.Add(delivery);
        if (isActive)
        {
            await outbox.Send(WakeDelivery.Address, new WakeDelivery(delivery.Id, delivery.Attempt), cancellationToken);
        }
    }

    // An endpoint that is being paused at this moment may be seen as active still: its delivery is held when it is taken.
    private async Task<Dictionary<Guid, List<SubscribedEndpoint>>> Subscribed(string type, CancellationToken cancellationToken)
    {
        var item = EventTypeList.Item(type);
        var rows = await (
            from receiver in db.Receivers.Where(r => r.EventTypes == null || r.EventTypes.Contains(item))
            from endpoint in db.Endpoints
                .Where(e => e.ReceiverId == receiver.Id && e.EventTypes.Contains(item) && e.State != EndpointState.Deleted)
                .DefaultIfEmpty()
            select new { ReceiverId = receiver.Id, Id = (Guid?)endpoint!.Id, State = (EndpointState?)endpoint.State })
            .ToListAsync(cancellationToken);
        return rows
            .GroupBy(row => row.ReceiverId)
            .ToDictionary(
                group => group.Key,
                group => group.Where(row => row.Id is not null).Select(row => new SubscribedEndpoint(row.Id!.Value, row.State!.Value)).ToList());
    }

    private sealed record SubscribedEndpoint(Guid Id, EndpointState State);
}
