using Notifications.Sending;
using Polly.CircuitBreaker;

namespace Notifications.Delivering;

/// <summary>
/// One attempt: take the delivery, call the endpoint, write down what came of it. The call is made in no transaction; whoever
/// dies in between leaves a lease that ends.
/// </summary>
internal sealed class Attempting(
    DeliveryRows rows, DatabaseTurns turns, EndpointLanes lanes, Calling calling, Outcomes outcomes, TimeProvider time, DeliveryMetrics metrics)
{
    // Clocks differ a little, and a wake-up that came too early would not come again before the sweeper.
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

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
            await outcomes.Record(work, exchange, cancellationToken);
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
            return await lane.Try(token => TakeAndCall(work, lane, token), cancellationToken);
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
        return calling.NotCalled(work, answer);
    }

    private async Task<Exchange?> TakeAndCall(DeliveryWork work, EndpointLane lane, CancellationToken cancellationToken)
    {
        if (!await Take(work, cancellationToken))
        {
            return null;
        }

        try
        {
            var exchange = await calling.Call(work, lane, cancellationToken);
            if (exchange is null)
            {
                await GiveBack(work, lane.Park(null, work.Endpoint.RateLimit, Waited(work)));
            }

            return exchange;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await GiveBack(work, Now);   // this replica is being stopped; another may make it at once
            throw;
        }
    }

    // Also while this replica is being stopped: otherwise the attempt would count as lost when the lease ends.
    private Task GiveBack(DeliveryWork work, DateTime until) =>
        turns.Run(() => rows.GiveBack(work, until, CancellationToken.None), CancellationToken.None);

    private Task<bool> Take(DeliveryWork work, CancellationToken cancellationToken) =>
        turns.Run(() => rows.Take(work, cancellationToken), cancellationToken);

    private Task Park(DeliveryWork work, DateTime until, string reason, CancellationToken cancellationToken)
    {
        metrics.Parked(reason);
        return turns.Run(() => rows.Park(work, until, cancellationToken), cancellationToken);
    }

    private TimeSpan Waited(DeliveryWork work) => Now - work.UpdatedAt;

    private static DateTime? Later(DateTime? one, DateTime? other) => one > other || other is null ? one : other;
}
