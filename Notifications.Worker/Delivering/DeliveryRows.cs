using System.Text;
using Microsoft.EntityFrameworkCore;
using Notifications.Sending;
using Outbox;
using ServiceDefaults;

namespace Notifications.Delivering;

/// <summary>
/// What the delivering reads and writes. Each change compares the state and the attempt's number: of two that want the same
/// one, the second changes nothing and learns of it.
/// </summary>
internal sealed class DeliveryRows(NotificationsDb db, IOutbox<NotificationsDb> outbox, DeliverySettings settings, TimeProvider time)
{
    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>The delivery, if it still waits for this attempt.</summary>
    public Task<DeliveryWork?> Load(WakeDelivery wake, CancellationToken cancellationToken) => (
        from delivery in db.Deliveries
        where delivery.Id == wake.DeliveryId && delivery.Attempt == wake.Attempt && delivery.State == DeliveryState.Pending
        join notification in db.Notifications on delivery.NotificationId equals notification.Id
        join endpoint in db.Endpoints on delivery.EndpointId equals endpoint.Id
        select new DeliveryWork(
            delivery.Id, delivery.Attempt, delivery.Step, delivery.NextAttemptAt, delivery.UpdatedAt, notification.Id, notification.Event.Body, notification.Event.TraceParent, endpoint))
        .AsNoTracking().SingleOrDefaultAsync(cancellationToken);

    /// <summary>The endpoint is not active: the delivery waits until it is.</summary>
    public Task Hold(DeliveryWork work, CancellationToken cancellationToken) => Waiting(work).ExecuteUpdateAsync(
        set => set.SetProperty(d => d.State, DeliveryState.Held).SetProperty(d => d.NextAttemptAt, (DateTime?)null).SetProperty(d => d.UpdatedAt, Now),
        cancellationToken);

    /// <summary>The attempt cannot begin now: it is woken again at that time.</summary>
    public Task Park(DeliveryWork work, DateTime until, CancellationToken cancellationToken) =>
        Park(work, until, Waiting(work).Where(d => d.NextAttemptAt == work.NextAttemptAt), cancellationToken);

    /// <summary>The attempt was taken and cannot begin now: as if it had not been taken, it is woken again at that time.</summary>
    public Task GiveBack(DeliveryWork work, DateTime until, CancellationToken cancellationToken) =>
        Park(work, until, db.Deliveries.Where(d => d.Id == work.Id && d.Attempt == work.Attempt && d.State == DeliveryState.Delivering), cancellationToken);

    /// <summary>The attempt begins, and is this replica's for the lease.</summary>
    /// <returns>Whether it is: another one may have been faster.</returns>
    public async Task<bool> Take(DeliveryWork work, CancellationToken cancellationToken)
    {
        var now = Now;
        work.LeaseUntil = now + settings.Lease;
        return await Waiting(work).ExecuteUpdateAsync(
            set => set
                .SetProperty(d => d.State, DeliveryState.Delivering)
                .SetProperty(d => d.LeaseUntil, work.LeaseUntil)
                .SetProperty(d => d.NextAttemptAt, (DateTime?)null)
                .SetProperty(d => d.UpdatedAt, now),
            cancellationToken) > 0;
    }

    /// <summary>Takes the endpoint's next place in its rate, among all replicas.</summary>
    /// <returns>Whether there was one now.</returns>
    public async Task<bool> TakeRateSlot(WebhookEndpoint endpoint, CancellationToken cancellationToken)
    {
        var (now, gap, seen) = (Now, TimeSpan.FromSeconds(1.0 / endpoint.RateLimit!.Value), endpoint.RateSlotAt);
        if (seen > now)
        {
            return false;
        }

        // Kept by up to a gap, so that somebody who comes a little late costs the endpoint no place.
        var next = seen > now - gap ? seen.Value + gap : now + gap;
        return await db.Endpoints.Where(e => e.Id == endpoint.Id && e.RateSlotAt == seen)
            .ExecuteUpdateAsync(set => set.SetProperty(e => e.RateSlotAt, next), cancellationToken) > 0;
    }

    /// <summary>Leaves an endpoint alone until a time.</summary>
    public Task Throttle(WebhookEndpoint endpoint, DateTime until, CancellationToken cancellationToken) =>
        db.Endpoints.Where(e => e.Id == endpoint.Id && (e.ThrottledUntil == null || e.ThrottledUntil < until))
            .ExecuteUpdateAsync(set => set.SetProperty(e => e.ThrottledUntil, until), cancellationToken);

    /// <summary>Disables an endpoint that is gone for good.</summary>
    public Task Disable(WebhookEndpoint endpoint, string reason, CancellationToken cancellationToken) =>
        db.Endpoints.Where(e => e.Id == endpoint.Id && e.State == EndpointState.Active && e.Version == endpoint.Version)
            .ExecuteUpdateAsync(
                set => set
                    .SetProperty(e => e.State, EndpointState.Disabled)
                    .SetProperty(e => e.DisabledReason, reason)
                    .SetProperty(e => e.Version, e => e.Version + 1)
                    .SetProperty(e => e.UpdatedAt, Now),
                cancellationToken);

    /// <summary>Writes down what came of an attempt, with the wake-up of the next one, all or nothing.</summary>
    /// <returns>Whether it counted: an acknowledgement, a resend or the end of the lease may have come first.</returns>
    public async Task<bool> Record(DeliveryWork work, Exchange exchange, CancellationToken cancellationToken)
    {
        try
        {
            await Record([new Made(work, exchange)], cancellationToken);
            return true;
        }
        catch (DbUpdateException exception) when (exception is DbUpdateConcurrencyException || exception.IsDuplicateKey())
        {
            db.ChangeTracker.Clear();   // nothing of it is saved by whoever saves next
            return false;
        }
    }

    /// <summary>Writes down what came of attempts, all or nothing: in one statement batch.</summary>
    /// <exception cref="DbUpdateException">One of them does not count, or cannot be stored.</exception>
    public async Task Record(IReadOnlyList<Made> made, CancellationToken cancellationToken)
    {
        db.ChangeTracker.Clear();   // a try before this one may have failed
        foreach (var (work, exchange) in made)
        {
            await Add(work, exchange, cancellationToken);
        }

        await db.SaveChangesAsync(cancellationToken);
    }

    private async Task Add(DeliveryWork work, Exchange exchange, CancellationToken cancellationToken)
    {
        var verdict = exchange.Verdict;
        var delivery = new Delivery { Id = work.Id, State = DeliveryState.Delivering, Attempt = work.Attempt };
        var row = db.Attach(delivery);   // as it was taken: the save compares the state and the number
        delivery.State = verdict.State;
        delivery.Attempt = verdict.State is DeliveryState.Pending or DeliveryState.Held ? work.Attempt + 1 : work.Attempt;
        delivery.Step = verdict.State == DeliveryState.Pending ? work.Step + 1 : work.Step;
        (delivery.NextAttemptAt, delivery.LeaseUntil, delivery.UpdatedAt) = (verdict.NextAttemptAt, null, Now);
        foreach (var written in new[] { nameof(Delivery.Step), nameof(Delivery.NextAttemptAt), nameof(Delivery.LeaseUntil), nameof(Delivery.UpdatedAt) })
        {
            row.Property(written).IsModified = true;   // whatever was there
        }

        db.Attempts.Add(exchange.Row(work));
        if (verdict.NextAttemptAt is { } due)
        {
            await outbox.Schedule(WakeDelivery.Address, new WakeDelivery(work.Id, delivery.Attempt), due, cancellationToken);
        }
    }

    private IQueryable<Delivery> Waiting(DeliveryWork work) =>
        db.Deliveries.Where(d => d.Id == work.Id && d.Attempt == work.Attempt && d.State == DeliveryState.Pending);

    private async Task Park(DeliveryWork work, DateTime until, IQueryable<Delivery> asSeen, CancellationToken cancellationToken)
    {
        db.ChangeTracker.Clear();
        db.Database.AutoSavepointsEnabled = false;
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var parked = await asSeen.ExecuteUpdateAsync(
            set => set
                .SetProperty(d => d.State, DeliveryState.Pending)
                .SetProperty(d => d.NextAttemptAt, until)
                .SetProperty(d => d.LeaseUntil, (DateTime?)null)
                .SetProperty(d => d.UpdatedAt, work.UpdatedAt),   // it has waited since
            cancellationToken);
        if (parked > 0)
        {
            await outbox.Schedule(WakeDelivery.Address, new WakeDelivery(work.Id, work.Attempt), until, cancellationToken);
            await db.SaveChangesAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
    }
}

/// <summary>An attempt that was made.</summary>
/// <param name="StartedAt">When.</param>
/// <param name="Took">How long it took.</param>
/// <param name="Answer">What came back.</param>
/// <param name="Verdict">What follows from it.</param>
/// <param name="WasCalled">Whether the endpoint was called; not when it is known to be down, or there is nothing to send.</param>
internal sealed record Exchange(DateTime StartedAt, TimeSpan Took, WebhookAnswer Answer, Verdict Verdict, bool WasCalled = true)
{
    /// <summary>The attempt as it is kept.</summary>
    public DeliveryAttempt Row(DeliveryWork work) => new()
    {
        DeliveryId = work.Id,
        Number = work.Attempt,
        StartedAt = StartedAt,
        DurationMilliseconds = (int)Took.TotalMilliseconds,
        Outcome = Verdict.Outcome,
        StatusCode = Answer.StatusCode,
        Answer = Answer.Body is { Length: > 0 } body ? Text(body) : null,
        Error = Verdict.Error is { } error ? Text(Encoding.UTF8.GetBytes(error)) : null,   // it may quote the endpoint
        NextAttemptAt = Verdict.NextAttemptAt,
    };

    // A text column takes no zeros, and no halves of a character.
    private static string Text(byte[] bytes) =>
        Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, DeliveryAttempt.MaxText))).Replace('\0', '\uFFFD');
}
