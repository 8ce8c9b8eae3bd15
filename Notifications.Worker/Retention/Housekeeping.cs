using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>
/// Forgets what was kept long enough, in batches so small that nobody waits for them: what was told, how it was attempted,
/// jobs, and what belonged to deleted endpoints. The notifications themselves stay.
/// </summary>
public sealed class Housekeeping(NotificationsDb db, WebhookSettings settings, TimeProvider time)
{
    internal const int Batch = 500;

    // Each takes its attempts with it, and SQL Server locks a whole table for 5,000 rows.
    private const int DeliveryBatch = 100;

    private static readonly DeliveryState[] Open = [DeliveryState.Pending, DeliveryState.Delivering, DeliveryState.Held];

    /// <summary>Forgets all that is due.</summary>
    /// <returns>How many rows were emptied or deleted.</returns>
    public async Task<int> Run(CancellationToken cancellationToken)
    {
        var until = time.UtcNow() - settings.Retention;
        return await Repeat(() => EmptyPayloads(until, cancellationToken))
            + await Repeat(() => DeleteAttempts(until, cancellationToken))
            + await Repeat(() => DeleteJobs(until, cancellationToken))
            + await Repeat(() => DeleteDeliveriesOfDeletedEndpoints(until, cancellationToken), DeliveryBatch)
            + await DeleteEndpoints(until, cancellationToken);
    }

    // What is still to be delivered keeps its payload, however old it is: a paused endpoint loses nothing.
    private Task<int> EmptyPayloads(DateTime until, CancellationToken cancellationToken) =>
        db.Events
            .Where(e => db.Events
                .Where(old => old.Body != null && old.CreatedAt <= until
                    && !db.Notifications.Any(n => n.EventId == old.Id && db.Deliveries.Any(d => d.NotificationId == n.Id && Open.Contains(d.State))))
                .OrderBy(old => old.CreatedAt).Take(Batch).Select(old => old.Id)
                .Contains(e.Id))
            .ExecuteUpdateAsync(set => set.SetProperty(e => e.Body, (byte[]?)null), cancellationToken);

    private Task<int> DeleteAttempts(DateTime until, CancellationToken cancellationToken) =>
        db.Attempts
            .Where(a => db.Attempts
                .Where(old => old.StartedAt <= until).OrderBy(old => old.StartedAt).Take(Batch)
                .Any(old => old.DeliveryId == a.DeliveryId && old.Number == a.Number))
            .ExecuteDeleteAsync(cancellationToken);

    private Task<int> DeleteJobs(DateTime until, CancellationToken cancellationToken) =>
        db.Jobs
            .Where(j => db.Jobs
                .Where(old => old.CreatedAt <= until && old.State == JobState.Done).OrderBy(old => old.CreatedAt).Take(Batch).Select(old => old.Id)
                .Contains(j.Id))
            .ExecuteDeleteAsync(cancellationToken);

    // Their attempts go with them.
    private Task<int> DeleteDeliveriesOfDeletedEndpoints(DateTime until, CancellationToken cancellationToken) =>
        db.Deliveries
            .Where(d => db.Deliveries
                .Where(old => db.Endpoints.Any(e => e.Id == old.EndpointId && e.State == EndpointState.Deleted && e.UpdatedAt <= until))
                .OrderBy(old => old.EndpointId).Take(DeliveryBatch).Select(old => old.Id)
                .Contains(d.Id))
            .ExecuteDeleteAsync(cancellationToken);

    private Task<int> DeleteEndpoints(DateTime until, CancellationToken cancellationToken) =>
        db.Endpoints
            .Where(e => e.State == EndpointState.Deleted && e.UpdatedAt <= until
                && !db.Deliveries.Any(d => d.EndpointId == e.Id) && !db.Jobs.Any(j => j.EndpointId == e.Id))
            .ExecuteDeleteAsync(cancellationToken);

    private static async Task<int> Repeat(Func<Task<int>> batch, int size = Batch)
    {
        for (var total = 0; ;)
        {
            var rows = await batch();
            total += rows;
            if (rows < size)
            {
                return total;
            }
        }
    }
}
