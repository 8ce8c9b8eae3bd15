using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications.Delivering;
using Outbox;
using ServiceDefaults;

namespace Notifications;

/// <summary>Begins deliveries, for the first time or anew: the row, and the message that wakes it, in one transaction.</summary>
public sealed class DeliveryStart(NotificationsDb db, IOutbox<NotificationsDb> outbox, TimeProvider time)
{
    /// <summary>Adds a delivery, to be saved by the caller; held when the endpoint is not active.</summary>
    /// <remarks>An endpoint that is being paused at this moment may seem active: then the delivery is held when it is taken.</remarks>
    public async Task Begin(Guid notificationId, Guid endpointId, EndpointState endpoint, CancellationToken cancellationToken)
    {
        var now = time.UtcNow();
        var isActive = endpoint == EndpointState.Active;
        var delivery = new Delivery
        {
            Id = NewId.NextGuid(),
            NotificationId = notificationId,
            EndpointId = endpointId,
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

    /// <summary>
    /// Puts deliveries back to the beginning of their schedule, but for those that are acknowledged. Call it within a transaction, and save what it adds. The
    /// number of the attempt is raised, so that the outcome of one under way counts for nothing: there is one chain, not two.
    /// </summary>
    /// <param name="ids">The deliveries of endpoints that are all in the same state.</param>
    /// <param name="only">Those in another state stay as they are; null: of any.</param>
    /// <param name="endpoint">The endpoints' state.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many there were.</returns>
    public async Task<int> BeginAnew(
        IReadOnlyCollection<Guid> ids, DeliveryState? only, EndpointState endpoint, CancellationToken cancellationToken)
    {
        var now = time.UtcNow();
        var isActive = endpoint == EndpointState.Active;
        var state = isActive ? DeliveryState.Pending : DeliveryState.Held;

        // Read and locked by the same statement that other changes compare with: what is read below is what it left.
        var wanted = db.Deliveries.Where(d => ids.Contains(d.Id) && d.State != DeliveryState.Acknowledged && (only == null || d.State == only));
        var changed = await wanted.ExecuteUpdateAsync(
            set => set
                .SetProperty(d => d.State, state)
                .SetProperty(d => d.Attempt, d => d.Attempt + 1)
                .SetProperty(d => d.Step, 0)
                .SetProperty(d => d.NextAttemptAt, isActive ? now : null)
                .SetProperty(d => d.LeaseUntil, (DateTime?)null)
                .SetProperty(d => d.UpdatedAt, now),
            cancellationToken);
        if (isActive)
        {
            var begun = await db.Deliveries.AsNoTracking()
                .Where(d => ids.Contains(d.Id) && d.State == DeliveryState.Pending && d.NextAttemptAt == now)
                .Select(d => new WakeDelivery(d.Id, d.Attempt))
                .ToListAsync(cancellationToken);
            foreach (var wake in begun)
            {
                await outbox.Send(WakeDelivery.Address, wake, cancellationToken);
            }
        }

        return changed;
    }
}
