using Polly;
using Polly.CircuitBreaker;

namespace Notifications.Delivering;

/// <summary>What a replica knows of one endpoint: what is under way there, how fast it answers, whether it is down.</summary>
/// <remarks>
/// Whatever cannot be tried now is parked until a time of its own: parked all to one time they would come back together,
/// only to be parked again.
/// </remarks>
internal sealed class EndpointLane
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(2);

    // What is parked for longer would wait on when the endpoint has long recovered; were it parked for no longer than the
    // shortest, a backlog would do nothing but come back and be parked again. So it waits about as long as it has waited.
    private static readonly TimeSpan ShortestHorizon = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestHorizon = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly int cap;
    private readonly TimeProvider time;
    private int inFlight;
    private TimeSpan usual = TimeSpan.FromMilliseconds(200);
    private DateTime lastSlot = DateTime.MinValue;

    public EndpointLane(int cap, TimeProvider time)
    {
        (this.cap, this.time) = (cap, time);
        Circuit = new ResiliencePipelineBuilder<Exchange?> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<Exchange?>
            {
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Result is { Verdict.IsDown: true }),
                FailureRatio = 0.9,
                MinimumThroughput = 10,
                SamplingDuration = TimeSpan.FromMinutes(1),
                BreakDurationGenerator = arguments => ValueTask.FromResult(TimeSpan.FromSeconds(5 << Math.Min(arguments.HalfOpenAttempts, 3))),
            })
            .Build();
    }

    /// <summary>Lets attempts through while the endpoint seems to be up, and one now and then while it does not.</summary>
    public ResiliencePipeline<Exchange?> Circuit { get; }

    /// <summary>When it was last used.</summary>
    public DateTimeOffset UsedAt { get; private set; }

    /// <summary>Whether it can be forgotten.</summary>
    public bool IsIdle(DateTimeOffset since)
    {
        lock (gate)
        {
            return inFlight == 0 && UsedAt < since;
        }
    }

    /// <summary>Whether another attempt may begin; if so, <see cref="Leave"/> must follow.</summary>
    public bool TryEnter()
    {
        lock (gate)
        {
            UsedAt = time.GetUtcNow();
            if (inFlight >= cap)
            {
                return false;
            }

            inFlight++;
            return true;
        }
    }

    /// <summary>An attempt is over.</summary>
    /// <param name="took">How long it took; null when it was not made.</param>
    public void Leave(TimeSpan? took)
    {
        lock (gate)
        {
            inFlight--;
            if (took is { } duration)
            {
                usual = (usual * 7 + duration) / 8;
            }
        }
    }

    /// <summary>When to come back: not before a time, and at a distance from the others that were parked.</summary>
    /// <param name="notBefore">Until when the endpoint is to be left alone; null when it is only busy.</param>
    /// <param name="rate">The most attempts a second that it wants.</param>
    /// <param name="waited">How long the delivery has waited for this attempt.</param>
    public DateTime Park(DateTime? notBefore, int? rate, TimeSpan waited)
    {
        var horizon = Clamp(waited, ShortestHorizon, LongestHorizon);
        lock (gate)
        {
            var now = time.GetUtcNow().UtcDateTime;
            var soonest = now + Clamp(usual, ShortestPause, LongestPause);
            var start = notBefore > soonest ? notBefore.Value : soonest;
            var gap = rate is { } perSecond ? TimeSpan.FromSeconds(1.0 / perSecond) : Clamp(usual / cap, TimeSpan.Zero, LongestGap);
            var slot = lastSlot + gap > start ? lastSlot + gap : start;
            return slot > start + horizon ? start + (horizon * Random.Shared.NextDouble()) : lastSlot = slot;
        }
    }

    /// <summary>When to come back to an endpoint that is down: the later, the longer the delivery has waited in vain.</summary>
    /// <param name="retryAfter">When the next trial is let through.</param>
    /// <param name="waited">How long the delivery has waited for this attempt.</param>
    public DateTime ParkWhileDown(TimeSpan? retryAfter, TimeSpan waited)
    {
        var pause = Clamp(waited / 2, retryAfter ?? TimeSpan.Zero, LongestHorizon);
        return Park(time.GetUtcNow().UtcDateTime + pause, rate: null, waited);
    }

    private static TimeSpan Clamp(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;
}
