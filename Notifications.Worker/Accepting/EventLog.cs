using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>
/// Takes in what happened, once: the event, and a notification for each receiver that is to be told. What is to be told to which endpoint
/// is for the caller to begin.
/// </summary>
public sealed class EventLog(NotificationsDb db, DeliveryStart deliveries, TimeProvider time)
{
    /// <summary>How many notifications and deliveries one transaction adds, and those of one event: many events for many endpoints would be without limit.</summary>
    internal const int MostRows = 1000;

    /// <summary>The type of the event that tries an endpoint out.</summary>
    public const string TestType = "endpoint.test";

    /// <summary>
    /// Adds all that, to be saved by the caller in one transaction; nothing for an event that is there already. Of the events as many as
    /// come to <see cref="MostRows"/>, in their order, and one at least.
    /// </summary>
    /// <returns>What is to be told to which endpoint, and of how many of the events that is.</returns>
    public async Task<(List<Told> Told, int Count)> Add(IReadOnlyList<Happening> happenings, CancellationToken cancellationToken)
    {
        var added = await New(happenings, cancellationToken);
        var (told, notifications) = (new List<Told>(), 0);
        if (added.Count == 0)
        {
            return (told, happenings.Count);
        }

        var subscribed = await Subscribed([.. added.Select(h => h.Type).Distinct(StringComparer.Ordinal)], cancellationToken);
        foreach (var happening in added)
        {
            if (notifications + told.Count >= MostRows)
            {
                return (told, happenings.TakeWhile(h => h != happening).Count());
            }

            var happened = AddEvent(happening);
            var item = EventTypeList.Item(happening.Type);
            foreach (var receiver in subscribed.Where(r => Has(r.EventTypes ?? item, item)))
            {
                var notification = AddNotification(receiver.Id, happened);
                notifications++;
                told.AddRange(receiver.Endpoints.Where(e => Has(e.EventTypes, item)).Select(e => new Told(notification, e)));
            }
        }

        return (told, happenings.Count);
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

    /// <summary>Those that were not told before, under another message id.</summary>
    private async Task<List<Happening>> New(IReadOnlyList<Happening> happenings, CancellationToken cancellationToken)
    {
        var (types, keys) = (happenings.Select(h => h.Type).Distinct(StringComparer.Ordinal).ToList(), happenings.Select(h => h.BusinessKey).Distinct(StringComparer.Ordinal).ToList());
        var there = await db.Events.Where(e => types.Contains(e.Type) && keys.Contains(e.BusinessKey))
            .Select(e => new { e.Type, e.BusinessKey }).ToListAsync(cancellationToken);
        var known = there.Select(e => (e.Type, e.BusinessKey)).ToHashSet();
        return [.. happenings.Where(h => known.Add((h.Type, h.BusinessKey)))];
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
            TraceParent = happening.TraceParent,
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

    /// <summary>Whoever is told of any of these types, with all of its endpoints that are.</summary>
    private async Task<List<SubscribedReceiver>> Subscribed(List<string> types, CancellationToken cancellationToken)
    {
        var items = types.ConvertAll(EventTypeList.Item);
        var rows = await (
            from receiver in db.Receivers.Where(r => r.EventTypes == null || items.Any(item => r.EventTypes.Contains(item)))
            from endpoint in db.Endpoints
                .Where(e => e.ReceiverId == receiver.Id && e.State != EndpointState.Deleted && items.Any(item => e.EventTypes.Contains(item)))
                .DefaultIfEmpty()
            select new { receiver.Id, receiver.EventTypes, Endpoint = endpoint })
            .AsNoTracking().ToListAsync(cancellationToken);
        return [.. rows.GroupBy(row => (row.Id, row.EventTypes)).Select(group => new SubscribedReceiver(
            group.Key.Id, group.Key.EventTypes, [.. group.Where(row => row.Endpoint is not null).Select(row => row.Endpoint!)]))];
    }

    private static bool Has(string types, string item) => types.Contains(item, StringComparison.Ordinal);

    private sealed record SubscribedReceiver(Guid Id, string? EventTypes, List<WebhookEndpoint> Endpoints);
}

/// <summary>A notification that an endpoint is to be told of.</summary>
public sealed record Told(Notification Notification, WebhookEndpoint Endpoint);
