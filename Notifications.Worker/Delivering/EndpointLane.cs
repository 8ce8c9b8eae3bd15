using System.Numerics;
using Polly;
using Polly.CircuitBreaker;

namespace Notifications.Delivering;

/// <summary>What a replica knows of one endpoint: what is under way there, how fast it answers, whether it is down.</summary>
/// <remarks>
/// Whatever cannot be tried now is parked until a time of its own: parked all to one time they would come back together,
/// only to be parked again.
/// </remarks>
internal sealed class EndpointLane : IDisposable
{
    /// <summary>A call that takes longer keeps a place from others.</summary>
    public static readonly TimeSpan Slow = TimeSpan.FromSeconds(1);

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
    private readonly SemaphoreSlim calls;
    private readonly CircuitBreakerStateProvider state = new();
    private readonly ResiliencePipeline<Exchange?> circuit;
    private int inFlight;
    private bool isRetired;
    private bool wasSlow;
    private DateTimeOffset usedAt;
    private TimeSpan usual = TimeSpan.FromMilliseconds(200);

    // The last place given, by the magnitude of the wait in seconds: what is to come back in hours does not push back what
    // is to come back at once.
    private readonly DateTime[] lastSlots = new DateTime[32];

    public EndpointLane(int cap, TimeProvider time)
    {
        (this.cap, this.time) = (cap, time);
        calls = new SemaphoreSlim(cap);
        circuit = new ResiliencePipelineBuilder<Exchange?> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<Exchange?>
            {
                // A trial in which the endpoint was not called (another replica was faster, this one is being stopped) proves
                // nothing, and must not close the circuit. Of other attempts only the calls come here.
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Result is not { WasCalled: true } made || made.Verdict.IsDown),
                FailureRatio = 0.9,
                MinimumThroughput = 10,
                SamplingDuration = TimeSpan.FromMinutes(1),
                BreakDurationGenerator = arguments => ValueTask.FromResult(TimeSpan.FromSeconds(5 << Math.Min(arguments.HalfOpenAttempts, 3))),
                StateProvider = state,
            })
            .Build();
    }

    /// <summary>Whether the endpoint seems to be down. Who finds that out anew comes by <see cref="Try"/>, one now and then.</summary>
    public bool IsDown => state.CircuitState != CircuitState.Closed;

    /// <summary>How many of its calls have been under way for longer than <see cref="Slow"/>. <see cref="EndpointLanes"/> counts them.</summary>
    public int Hanging { get; set; }

    /// <summary>Whether its last call took so long, or one under way already does, that more of them would keep places from others.</summary>
    public bool IsSlow => wasSlow || Hanging > 0;

    /// <summary>Somebody is about to use it.</summary>
    /// <returns>Whether it can be used: it may have been retired.</returns>
    public bool Touch()
    {
        lock (gate)
        {
            usedAt = time.GetUtcNow();
            return !isRetired;
        }
    }

    /// <summary>Retires it, unless it was used since.</summary>
    public bool Retire(DateTimeOffset since)
    {
        lock (gate)
        {
            return isRetired |= inFlight == 0 && usedAt < since;
        }
    }

    /// <summary>Whether another attempt may begin; if so, <see cref="Leave"/> must follow.</summary>
    /// <param name="most">How many there may be then.</param>
    public bool TryEnter(int most)
    {
        lock (gate)
        {
            if (inFlight >= most)
            {
                return false;
            }

            inFlight++;
            return true;
        }
    }

    /// <summary>Makes an attempt while the endpoint seems to be up, and one now and then while it does not.</summary>
    /// <exception cref="BrokenCircuitException">It seems to be down, and this is not the time to find out.</exception>
    public async Task<Exchange?> Try(Func<CancellationToken, Task<Exchange?>> attempt, CancellationToken cancellationToken)
    {
        if (IsDown)
        {
            return await circuit.ExecuteAsync(async token => await attempt(token), cancellationToken);
        }

        // Outside of the circuit, to which what came to no call would be a success: a busy endpoint that dies has many such attempts,
        // and its failures would never be nine of ten.
        var exchange = await attempt(cancellationToken);
        if (exchange is { WasCalled: true })
        {
            var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
            await circuit.ExecuteOutcomeAsync(static (_, made) => Outcome.FromResultAsValueTask<Exchange?>(made), context, exchange);
            ResilienceContextPool.Shared.Return(context);
        }

        return exchange;
    }

    /// <summary>Waits a little for one of the calls under way to end.</summary>
    /// <returns>Whether this one may begin; if so, <see cref="EndCall"/> must follow.</returns>
    public Task<bool> BeginCall(TimeSpan patience, CancellationToken cancellationToken) => calls.WaitAsync(patience, cancellationToken);

    /// <summary>A call has ended.</summary>
    public void EndCall() => calls.Release();

    /// <summary>An attempt is over.</summary>
    /// <param name="took">How long the call took; null when none was made.</param>
    public void Leave(TimeSpan? took)
    {
        lock (gate)
        {
            inFlight--;
            if (took is { } duration)
            {
                usual = (usual * 7 + duration) / 8;
                wasSlow = duration > Slow;
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
            ref var last = ref lastSlots[BitOperations.Log2((uint)(notBefore > soonest ? start - now : TimeSpan.Zero).TotalSeconds)];
            var slot = last + gap > start ? last + gap : start;
            return slot > start + horizon ? start + (horizon * Random.Shared.NextDouble()) : last = slot;
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

    public void Dispose() => calls.Dispose();

    private static TimeSpan Clamp(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;
}
