using System.Collections.Concurrent;

namespace Notifications.Delivering;

/// <summary>The lanes of the endpoints that a replica has lately called, and how much is under way in all of them.</summary>
internal sealed class EndpointLanes(DeliverySettings settings, TimeProvider time)
{
    private const int SlowPlaces = 2;
    private static readonly TimeSpan KeptIdle = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly ConcurrentDictionary<Guid, EndpointLane> lanes = [];
    private readonly Queue<Call> young = [];   // in the order in which they began; also some that have ended
    private int inFlight;
    private int hanging;

    /// <summary>How much is under way.</summary>
    public int InFlight => Volatile.Read(ref inFlight);

    /// <summary>The lane of an endpoint.</summary>
    public EndpointLane Of(Guid endpointId)
    {
        while (true)
        {
            var lane = lanes.GetOrAdd(endpointId, _ => new EndpointLane(settings.InFlightPerEndpoint, time));
            if (lane.Touch())
            {
                return lane;
            }
        }
    }

    /// <summary>Whether another attempt may begin in this lane; if so, <see cref="Leave"/> must follow.</summary>
    public bool TryEnter(EndpointLane lane)
    {
        lock (gate)
        {
            FindHanging();
            if (!lane.TryEnter(Places(lane.IsSlow)))
            {
                return false;
            }

            inFlight++;
            return true;
        }
    }

    /// <inheritdoc cref="EndpointLane.Leave"/>
    public void Leave(EndpointLane lane, TimeSpan? took)
    {
        lock (gate)
        {
            lane.Leave(took);
            inFlight--;
        }
    }

    /// <summary>Begins a call, within an attempt; waits a little for one of the endpoint's others to end.</summary>
    /// <returns>The call, to be disposed of when it has ended; null when it may not begin.</returns>
    public async Task<Call?> BeginCall(EndpointLane lane, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (!await lane.BeginCall(patience, cancellationToken))
        {
            return null;
        }

        lock (gate)
        {
            FindHanging();
            var call = new Call(this, lane, time.GetTimestamp());
            young.Enqueue(call);
            return call;
        }
    }

    /// <summary>Forgets the lanes that have not been used for long.</summary>
    public void Tidy()
    {
        var since = time.GetUtcNow() - KeptIdle;
        foreach (var (id, lane) in lanes)
        {
            if (lane.Retire(since))
            {
                lanes.TryRemove(id, out _);
                lane.Dispose();
            }
        }
    }

    /// <summary>
    /// How many places an endpoint may have: the fewer, the more are taken altogether. Those that hang get no more than half of all. Those that
    /// only now begin to are not known for it until they have for a second; from then on they count for three quarters at most, so that
    /// the last quarter is there for one that is quick, at the latest when that second is over.
    /// </summary>
    /// <remarks>Up to twice the calls that there may be: while some are made, others are being taken in the database.</remarks>
    private int Places(bool isSlow)
    {
        var (cap, all, most) = (settings.InFlightPerEndpoint, settings.InFlight, settings.InFlight * 3 / 4);
        if (isSlow)
        {
            return inFlight < all / 4 ? cap : inFlight < (all + 1) / 2 ? Math.Min(SlowPlaces, cap) : 0;
        }

        var taken = inFlight - hanging + Math.Min(hanging, most);
        return taken >= all || inFlight >= settings.MostInFlight ? 0 : taken < most ? 2 * cap : 1;
    }

    /// <summary>Finds the calls that have been under way for so long that their endpoints count as slow.</summary>
    private void FindHanging()
    {
        while (young.TryPeek(out var call) && (call.HasEnded || time.GetElapsedTime(call.Started) > EndpointLane.Slow))
        {
            young.Dequeue();
            if (!call.HasEnded)
            {
                call.Hangs = true;
                call.Lane.Hanging++;
                hanging++;
            }
        }
    }

    private void End(Call call)
    {
        lock (gate)
        {
            call.HasEnded = true;
            if (call.Hangs)
            {
                call.Lane.Hanging--;
                hanging--;
            }
        }

        call.Lane.EndCall();
    }

    /// <summary>A call that is under way; disposed of when it has ended.</summary>
    internal sealed class Call(EndpointLanes lanes, EndpointLane lane, long started) : IDisposable
    {
        public EndpointLane Lane => lane;

        public long Started => started;

        public bool Hangs { get; set; }

        public bool HasEnded { get; set; }

        public void Dispose() => lanes.End(this);
    }
}
