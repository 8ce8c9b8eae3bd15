using System.Security.Cryptography;
using Notifications.Sending;
using Polly.CircuitBreaker;

namespace Notifications.Delivering;

/// <summary>
/// One attempt: take the delivery, call the endpoint, write down what came of it. The call is made in no transaction; whoever
/// dies in between leaves a lease that ends.
/// </summary>
internal sealed class Attempting(
    DeliveryRows rows, DatabaseTurns turns, EndpointLanes lanes, WebhookClient client, SecretBox box, DeliverySettings settings, TimeProvider time, DeliveryMetrics metrics,
    ILogger<Attempting> logger)
{
    // Clocks differ a little, and a wake-up that came too early would not come again before the sweeper.
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);

    // For a call of the endpoint's to end, once the attempt is taken.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>Makes the attempt that a wake-up is about, if it is still wanted, is due, and can begin now.</summary>
    public async Task Run(WakeDelivery wake, CancellationToken cancellationToken)
    {
        if (await Due(wake, cancellationToken) is not { } work)
        {
            return;
        }

        if (work.Endpoint.State != EndpointState.Active)
        {
            await turns.Run(() => rows.Hold(work, cancellationToken), cancellationToken);
            return;
        }

        var lane = lanes.Of(work.Endpoint.Id);
        var notBefore = Later(work.Endpoint.ThrottledUntil, work.Endpoint.RateLimit is null ? null : work.Endpoint.RateSlotAt);
        if (notBefore > Now || !lanes.TryEnter(lane))
        {
            await Park(work, lane.Park(notBefore, work.Endpoint.RateLimit, Waited(work)), "busy", cancellationToken);
            return;
        }

        Exchange? exchange = null;
        try
        {
            exchange = await Enter(work, lane, cancellationToken);
        }
        finally
        {
            // Before the outcome is written down: the endpoint is free for the next call, however slow the database is.
            lanes.Leave(lane, exchange is { WasCalled: true } ? exchange.Took : null);
        }

        if (exchange is not null)
        {
            var counted = await Record(work, exchange, cancellationToken);
            metrics.Made(exchange, counted);
            logger.Made(work.NotificationId, work.Endpoint.Id, work.Attempt, exchange.Verdict.Outcome, exchange.Answer.StatusCode, exchange.Verdict.State);
        }
    }

    /// <summary>The delivery at its time; null when there is nothing to do, or another wake-up will come for it.</summary>
    private async Task<DeliveryWork?> Due(WakeDelivery wake, CancellationToken cancellationToken)
    {
        var work = await Load(wake, cancellationToken);
        if (work is null || work.NextAttemptAt - Now is not { } early || early <= TimeSpan.Zero)
        {
            return work;
        }

        if (early > Early)
        {
            return null;   // it was parked meanwhile
        }

        await Task.Delay(early + Tick, time, cancellationToken);
        return await Load(wake, cancellationToken) is { } now && now.NextAttemptAt == work.NextAttemptAt ? now : null;
    }

    private Task<DeliveryWork?> Load(WakeDelivery wake, CancellationToken cancellationToken) =>
        turns.Run(() => rows.Load(wake, cancellationToken), cancellationToken);

    private async Task<Exchange?> Enter(DeliveryWork work, EndpointLane lane, CancellationToken cancellationToken)
    {
        if (work.Endpoint.RateLimit is { } rate
            && !await turns.Run(() => rows.TakeRateSlot(work.Endpoint, cancellationToken), cancellationToken))
        {
            await Park(work, lane.Park(null, rate, Waited(work)), "rate", cancellationToken);
            return null;
        }

        try
        {
            return await lane.Circuit.ExecuteAsync(async token => await TakeAndCall(work, lane, token), cancellationToken);
        }
        catch (BrokenCircuitException open)
        {
            var end = work.UpdatedAt + RetrySchedule.Patience(work.Endpoint.Schedule, work.Step);
            if (end <= Now)
            {
                return await GiveUpThisOne(work, cancellationToken);
            }

            var slot = lane.ParkWhileDown(open.RetryAfter, Waited(work));
            await Park(work, slot < end ? slot : end, "circuit", cancellationToken);
            return null;
        }
    }

    /// <summary>
    /// The endpoint was down until the attempt after this one would have been due: it counts as failed. Were it parked for ever,
    /// the many deliveries of a dead endpoint, of which one is tried now and then, would never come to the end of their schedule.
    /// </summary>
    private async Task<Exchange?> GiveUpThisOne(DeliveryWork work, CancellationToken cancellationToken)
    {
        if (!await Take(work, cancellationToken))
        {
            return null;
        }

        var answer = new WebhookAnswer(AttemptOutcome.Unreachable, Error: "The endpoint was not called: it was down, as the calls before this one showed.");
        return NotCalled(work, answer);
    }

    private async Task<Exchange?> TakeAndCall(DeliveryWork work, EndpointLane lane, CancellationToken cancellationToken)
    {
        if (!await Take(work, cancellationToken))
        {
            return null;
        }

        if (Write(work, out var refusal) is not { } request)
        {
            return NotCalled(work, refusal!);
        }

        if (!await lane.BeginCall(Patience, cancellationToken))
        {
            metrics.Parked("busy");
            var slot = lane.Park(null, work.Endpoint.RateLimit, Waited(work));
            await turns.Run(() => rows.GiveBack(work, slot, cancellationToken), cancellationToken);
            return null;
        }

        try
        {
            var (startedAt, started) = (Now, time.GetTimestamp());
            var answer = await client.Send(request, cancellationToken);
            return new Exchange(
                startedAt, time.GetElapsedTime(started), answer, Verdict.Of(answer, work.Endpoint, work.Step, Now, Random.Shared.NextDouble()));
        }
        finally
        {
            lane.EndCall();
        }
    }

    private Task<bool> Take(DeliveryWork work, CancellationToken cancellationToken) =>
        turns.Run(() => rows.Take(work, cancellationToken), cancellationToken);

    private WebhookRequest? Write(DeliveryWork work, out WebhookAnswer? refusal)
    {
        refusal = null;
        if (work.Body is null)
        {
            refusal = new WebhookAnswer(AttemptOutcome.Refused, Error: "The event's body is not kept any more.");
            return null;
        }

        try
        {
            return work.Write(box, Now);
        }
        catch (CryptographicException exception)
        {
            // An operator's mistake; mended, the later attempts succeed.
            refusal = new WebhookAnswer(AttemptOutcome.Forbidden, Error: exception.Message);
            return null;
        }
    }

    private Exchange NotCalled(DeliveryWork work, WebhookAnswer answer) => new(
        Now, TimeSpan.Zero, answer, Verdict.Of(answer, work.Endpoint, work.Step, Now, Random.Shared.NextDouble()), WasCalled: false);

    /// <summary>A database that is away for a moment must not cost a receiver the same call again: the lease is there to be used.</summary>
    private async Task<bool> Record(DeliveryWork work, Exchange exchange, CancellationToken cancellationToken)
    {
        var until = exchange.StartedAt + settings.Lease;
        for (var pause = FirstPause; ; pause *= 2)
        {
            try
            {
                // Also while this replica is being stopped: otherwise the receiver would be told again.
                return await turns.Run(() => RecordOnce(work, exchange, CancellationToken.None), CancellationToken.None);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested && Now + pause < until)
            {
                logger.CannotRecord(work.NotificationId, work.Endpoint.Id, work.Attempt, exception);
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private async Task<bool> RecordOnce(DeliveryWork work, Exchange exchange, CancellationToken cancellationToken)
    {
        if (exchange.Verdict.ThrottledUntil is { } throttled)
        {
            await rows.Throttle(work.Endpoint, throttled, cancellationToken);
        }

        if (exchange.Verdict.Outcome == AttemptOutcome.Gone)
        {
            await rows.Disable(work.Endpoint, exchange.Verdict.Error!, cancellationToken);
        }

        return await rows.Record(work, exchange, cancellationToken);
    }

    private Task Park(DeliveryWork work, DateTime until, string reason, CancellationToken cancellationToken)
    {
        metrics.Parked(reason);
        return turns.Run(() => rows.Park(work, until, cancellationToken), cancellationToken);
    }

    private TimeSpan Waited(DeliveryWork work) => Now - work.UpdatedAt;

    private static DateTime? Later(DateTime? one, DateTime? other) => one > other || other is null ? one : other;
}
