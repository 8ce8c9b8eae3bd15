using Microsoft.EntityFrameworkCore;
using Notifications.Sending;
using Outbox;

namespace Notifications.Delivering;

/// <summary>
/// Finds what no message wakes any more: attempts whose replica was lost, attempts that were forgotten, deliveries held for
/// an endpoint that is active again, and jobs that stand still. By index, a few at a time; several replicas may do it at once.
/// </summary>
internal sealed class Sweeper(NotificationsDb db, IOutbox<NotificationsDb> outbox, DeliveryRows rows, DeliverySettings settings, TimeProvider time)
{
    private const int Batch = 100;

    // A wave of releases is spread over a period, so that an endpoint that comes back is not overrun.
    private const int MostReleased = 500;

    // Longer than a part of a job takes, and than most of its redeliveries.
    private static readonly TimeSpan JobStandsStill = TimeSpan.FromMinutes(5);

    /// <summary>One round.</summary>
    public async Task<Sweep> RunOnce(CancellationToken cancellationToken) => new(
        await TakeUpLapsed(cancellationToken),
        await WakeOverdue(cancellationToken),
        await ReleaseHeld(cancellationToken),
        await ResumeJobs(cancellationToken));

    /// <summary>
    /// The lost attempt counts as failed: were it for free, a delivery that kills whoever makes it would go on for ever. The
    /// next one begins at once, under a number of its own.
    /// </summary>
    private async Task<int> TakeUpLapsed(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var lapsed = await (
            from delivery in db.Deliveries.AsNoTracking()
            where delivery.LeaseUntil != null && delivery.LeaseUntil < now && delivery.State == DeliveryState.Delivering
            join endpoint in db.Endpoints on delivery.EndpointId equals endpoint.Id
            orderby delivery.LeaseUntil
            select new { delivery.Id, delivery.NotificationId, delivery.Attempt, delivery.Step, delivery.LeaseUntil, Endpoint = endpoint })
            .Take(Batch).AsNoTracking().ToListAsync(cancellationToken);
        var count = 0;
        foreach (var row in lapsed)
        {
            const string Error = "The replica that made this attempt was lost before it wrote the outcome down.";
            var state = RetrySchedule.After(row.Endpoint.Schedule, row.Step, null, 0) is null ? DeliveryState.Exhausted : DeliveryState.Pending;
            var verdict = new Verdict(AttemptOutcome.TimedOut, state, state == DeliveryState.Pending ? now : null, Error: Error);
            var work = new DeliveryWork(row.Id, row.Attempt, row.Step, null, now, row.NotificationId, null, null, row.Endpoint);
            var startedAt = row.LeaseUntil!.Value - settings.Lease;
            count += await rows.Record(work, new Exchange(startedAt, settings.Lease, new WebhookAnswer(null), verdict), cancellationToken) ? 1 : 0;
        }

        return count;
    }

    private async Task<int> WakeOverdue(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var since = now - settings.OverdueAfter;
        var ids = await db.Deliveries
            .Where(d => d.NextAttemptAt != null && d.NextAttemptAt < since && d.State == DeliveryState.Pending)
            .OrderBy(d => d.NextAttemptAt).Select(d => d.Id).Take(Batch).ToListAsync(cancellationToken);
        return await Wake(
            ids, now, TimeSpan.Zero,
            found => found.Where(d => d.State == DeliveryState.Pending && d.NextAttemptAt < since)
                .ExecuteUpdateAsync(set => set.SetProperty(d => d.NextAttemptAt, now), cancellationToken),
            cancellationToken);
    }

    /// <remarks>The number is raised: an attempt that was under way when it was held is not the one that follows.</remarks>
    private async Task<int> ReleaseHeld(CancellationToken cancellationToken)
    {
        var endpoints = await db.Endpoints
            .Where(e => e.State == EndpointState.Active && db.Deliveries.Any(d => d.EndpointId == e.Id && d.State == DeliveryState.Held))
            .OrderBy(e => e.Id).Take(Batch).Select(e => new { e.Id, e.RateLimit }).ToListAsync(cancellationToken);
        var released = 0;
        foreach (var endpoint in endpoints)
        {
            var now = time.GetUtcNow().UtcDateTime;
            var most = Math.Min(MostReleased, Math.Ceiling((endpoint.RateLimit ?? MostReleased) * settings.SweepPeriod.TotalSeconds));
            var ids = await db.Deliveries.Where(d => d.EndpointId == endpoint.Id && d.State == DeliveryState.Held)
                .OrderBy(d => d.CreatedAt).Select(d => d.Id).Take((int)most).ToListAsync(cancellationToken);
            released += await Wake(
                ids, now, settings.SweepPeriod / most,
                found => found.Where(d => d.State == DeliveryState.Held).ExecuteUpdateAsync(
                    set => set
                        .SetProperty(d => d.State, DeliveryState.Pending)
                        .SetProperty(d => d.Attempt, d => d.Attempt + 1)
                        .SetProperty(d => d.NextAttemptAt, now)
                        .SetProperty(d => d.UpdatedAt, now),
                    cancellationToken),
                cancellationToken);
        }

        return released;
    }

    /// <summary>A job whose message was lost, or given up to the error queue, would stand in the way of every other of its endpoint.</summary>
    private async Task<int> ResumeJobs(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var since = now - JobStandsStill;
        var jobs = await db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running && j.ProgressAt < since)
            .OrderBy(j => j.ProgressAt).Take(Batch).ToListAsync(cancellationToken);
        var resumed = 0;
        foreach (var job in jobs)
        {
            db.ChangeTracker.Clear();
            await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
            if (await db.Jobs.Where(j => j.Id == job.Id && j.Part == job.Part && j.ProgressAt == job.ProgressAt && j.State == JobState.Running)
                .ExecuteUpdateAsync(set => set.SetProperty(j => j.ProgressAt, now), cancellationToken) > 0)
            {
                await outbox.Send(ContinueJob.Address, new ContinueJob(job.Id, job.Part), cancellationToken);
                await db.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                resumed++;
            }
        }

        return resumed;
    }

    /// <summary>Changes rows and wakes those that this replica has changed, one every <paramref name="gap"/>.</summary>
    private async Task<int> Wake(
        List<Guid> ids, DateTime now, TimeSpan gap, Func<IQueryable<Delivery>, Task<int>> change, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
        {
            return 0;
        }

        db.ChangeTracker.Clear();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (await change(db.Deliveries.Where(d => ids.Contains(d.Id))) == 0)
        {
            return 0;   // another replica was faster
        }

        // Within the transaction: what bears the time is what was changed here.
        var changed = await db.Deliveries.Where(d => ids.Contains(d.Id) && d.State == DeliveryState.Pending && d.NextAttemptAt == now)
            .OrderBy(d => d.CreatedAt).Select(d => new { d.Id, d.Attempt }).ToListAsync(cancellationToken);
        for (var i = 0; i < changed.Count; i++)
        {
            await outbox.Schedule(WakeDelivery.Address, new WakeDelivery(changed[i].Id, changed[i].Attempt), now + (gap * i), cancellationToken);
        }

        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return changed.Count;
    }
}

/// <summary>What a round found.</summary>
internal readonly record struct Sweep(int Lapsed, int Overdue, int Released, int Resumed = 0);
