using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>
/// Takes in what happened, once: the event, a notification for each receiver that is to be told, a delivery for each of
/// its endpoints, and a message that wakes the first attempt.
/// </summary>
public sealed class EventLog(NotificationsDb db, DeliveryStart deliveries, TimeProvider time)
{
    /// <summary>The type of the event that tries an endpoint out.</summary>
    public const string TestType = "endpoint.test";

    /// <summary>Adds all that, to be saved by the caller in one transaction; nothing when the event is there already.</summary>
    public async Task Add(Happening happening, CancellationToken cancellationToken)
    {
        if (await db.Events.AnyAsync(e => e.Type == happening.Type && e.BusinessKey == happening.BusinessKey, cancellationToken))
        {
            return;   // told before, under another message id
        }

        var happened = AddEvent(happening);
        foreach (var (receiverId, endpoints) in await Subscribed(happening.Type, cancellationToken))
        {
            var notification = AddNotification(receiverId, happened);
            foreach (var endpoint in endpoints)
            {
                await deliveries.Begin(notification.Id, endpoint.Id, endpoint.State, cancellationToken);
            }
        }
    }

    /// <summary>Adds an event for one endpoint alone, which goes the way of all others; to be saved by the caller.</summary>
    /// <returns>The notification's id.</returns>
    public async Task<Guid> AddTest(WebhookEndpoint endpoint, CancellationToken cancellationToken)
    {
        var happening = new Happening(TestType, NewId.NextGuid().ToString(), time.UtcNow(), new { EndpointId = endpoint.Id });
        var notification = AddNotification(endpoint.ReceiverId, AddEvent(happening));
        await deliveries.Begin(notification.Id, endpoint.Id, endpoint.State, cancellationToken);
        return notification.Id;
    }

    private BusinessEvent AddEvent(Happening happening)
    {
        var happened = new BusinessEvent
        {
            Id = NewId.NextGuid(),
            Type = happening.Type,
            BusinessKey = happening.BusinessKey,
            Body = EventBody.Write(happening),
            OccurredAt = happening.OccurredAt,
            TraceParent = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null,
            CreatedAt = time.UtcNow(),
        };
        db.Events.Add(happened);
        return happened;
    }

    private Notification AddNotification(Guid receiverId, BusinessEvent happened)
    {
        var notification = new Notification
        {
            Id = NewId.NextGuid(),
            ReceiverId = receiverId,
            Event = happened,
            CreatedAt = happened.CreatedAt,
        };
        db.Notifications.Add(notification);
        return notification;
    }

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
