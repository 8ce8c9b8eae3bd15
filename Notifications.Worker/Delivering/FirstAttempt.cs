using MassTransit;
using Outbox;

namespace Notifications.Delivering;

/// <summary>A first attempt that is taken together with the storing of its delivery, and its endpoint's lane, in which it has a place.</summary>
internal sealed record FirstAttempt(DeliveryWork Work, EndpointLane Lane);

/// <summary>
/// Begins deliveries whose first attempt this replica makes itself, at once: stored as taken, they need no message that wakes them and
/// nothing else to begin. What has no place now is stored as parked.
/// </summary>
internal sealed class FirstAttemptStart(
    NotificationsDb db, IOutbox<NotificationsDb> outbox, DeliveryStart deliveries, EndpointLanes lanes, DeliverySettings settings, DeliveryMetrics metrics,
    TimeProvider time)
{
    /// <summary>Adds a delivery, to be saved by the caller.</summary>
    /// <returns>The attempt to be started once that is committed, or to be forgotten; null when there is none now.</returns>
    public async Task<FirstAttempt?> Begin(Told told, CancellationToken cancellationToken)
    {
        var (notification, endpoint) = told;
        var now = time.GetUtcNow().UtcDateTime;
        if (endpoint.State != EndpointState.Active || endpoint.RateLimit is not null || endpoint.ThrottledUntil > now)
        {
            await deliveries.Begin(notification.Id, endpoint.Id, endpoint.State, cancellationToken);
            return null;
        }

        var lane = lanes.Of(endpoint.Id);
        var delivery = new Delivery { Id = NewId.NextGuid(), NotificationId = notification.Id, EndpointId = endpoint.Id, CreatedAt = now, UpdatedAt = now };
        db.Deliveries.Add(delivery);
        if (lane.IsDown || !lanes.TryEnter(lane))
        {
            var slot = lane.IsDown ? lane.ParkWhileDown(null, TimeSpan.Zero) : lane.Park(null, null, TimeSpan.Zero);
            metrics.Parked(lane.IsDown ? "circuit" : "busy");
            delivery.NextAttemptAt = slot;
            await outbox.Schedule(WakeDelivery.Address, new WakeDelivery(delivery.Id, delivery.Attempt), slot, cancellationToken);
            return null;
        }

        var (leaseUntil, happened) = (now + settings.Lease, notification.Event);
        (delivery.State, delivery.LeaseUntil) = (DeliveryState.Delivering, leaseUntil);
        var work = new DeliveryWork(delivery.Id, delivery.Attempt, delivery.Step, now, now, notification.Id, happened.Body, happened.TraceParent, endpoint)
        {
            LeaseUntil = leaseUntil,
        };
        return new FirstAttempt(work, lane);
    }
}
