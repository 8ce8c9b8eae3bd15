using System.Security.Cryptography;
using Notifications.Sending;
using Polly.CircuitBreaker;

namespace Notifications.Delivering;

/// <summary>
/// One attempt: take the delivery, call the endpoint, write down what came of it. The call is made in no transaction; whoever
/// dies in between leaves a lease that ends.
/// </summary>
internal sealed class Attempting(
    DeliveryRows rows, EndpointLanes lanes, WebhookClient client, SecretBox box, DeliverySettings settings, TimeProvider time, DeliveryMetrics metrics,
    ILogger<Attempting> logger)
{
    // Clocks differ a little, and a wake-up that came too early would not come again before the sweeper.
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>Makes the attempt that a wake-up is about, if it is still wanted, is due, and can begin now.</summary>
    public async Task Run(WakeDelivery wake, CancellationToken cancellationToken)
    {
        if (await rows.Load(wake, cancellationToken) is not { } work || work.NextAttemptAt > Now + Early)
        {
            return;
        }

        if (work.Endpoint.State != EndpointState.Active)
        {
            await rows.Hold(work, cancellationToken);
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

    private async Task<Exchange?> Enter(DeliveryWork work, EndpointLane lane, CancellationToken cancellationToken)
    {
        if (work.Endpoint.RateLimit is { } rate && !await rows.TakeRateSlot(work.Endpoint, cancellationToken))
        {
            await Park(work, lane.Park(null, rate, Waited(work)), "rate", cancellationToken);
            return null;
        }

        try
        {
            return await lane.Circuit.ExecuteAsync(async token => await TakeAndCall(work, token), cancellationToken);
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
        if (!await rows.Take(work, cancellationToken))
        {
            return null;
        }

        var answer = new WebhookAnswer(AttemptOutcome.Unreachable, Error: "The endpoint was not called: it was down, as the calls before this one showed.");
        return new Exchange(Now, TimeSpan.Zero, answer, Verdict.Of(answer, work.Endpoint, work.Step, Now, Random.Shared.NextDouble()), WasCalled: false);
    }

    private async Task<Exchange?> TakeAndCall(DeliveryWork work, CancellationToken cancellationToken)
    {
        if (!await rows.Take(work, cancellationToken))
        {
            return null;
        }

        var (startedAt, started) = (Now, time.GetTimestamp());
        var answer = await Call(work, startedAt, cancellationToken);
        return new Exchange(
            startedAt, time.GetElapsedTime(started), answer, Verdict.Of(answer, work.Endpoint, work.Step, Now, Random.Shared.NextDouble()));
    }

    private async Task<WebhookAnswer> Call(DeliveryWork work, DateTime now, CancellationToken cancellationToken)
    {
        if (work.Body is null)
        {
            return new WebhookAnswer(AttemptOutcome.Refused, Error: "The event's body is not kept any more.");
        }

        WebhookRequest request;
        try
        {
            request = work.Write(box, now);
        }
        catch (CryptographicException exception)
        {
            // An operator's mistake; mended, the later attempts succeed.
            return new WebhookAnswer(AttemptOutcome.Forbidden, Error: exception.Message);
        }

        return await client.Send(request, cancellationToken);
    }

    /// <summary>A database that is away for a moment must not cost a receiver the same call again: the lease is there to be used.</summary>
    private async Task<bool> Record(DeliveryWork work, Exchange exchange, CancellationToken cancellationToken)
    {
        var until = exchange.StartedAt + settings.Lease;
        for (var pause = FirstPause; ; pause *= 2)
        {
            try
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
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested && Now + pause < until)
            {
                logger.CannotRecord(work.NotificationId, work.Endpoint.Id, work.Attempt, exception);
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private Task Park(DeliveryWork work, DateTime until, string reason, CancellationToken cancellationToken)
    {
        metrics.Parked(reason);
        return rows.Park(work, until, cancellationToken);
    }

    private TimeSpan Waited(DeliveryWork work) => Now - work.UpdatedAt;

    private static DateTime? Later(DateTime? one, DateTime? other) => one > other || other is null ? one : other;
}
