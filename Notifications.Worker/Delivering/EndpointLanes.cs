using System.Collections.Concurrent;

namespace Notifications.Delivering;

/// <summary>The lanes of the endpoints that a replica has lately called, and how much is under way in all of them.</summary>
internal sealed class EndpointLanes(DeliverySettings settings, TimeProvider time)
{
    private const int SlowPlaces = 2;
    private static readonly TimeSpan KeptIdle = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly ConcurrentDictionary<Guid, EndpointLane> lanes = [];
    private int inFlight;

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
            if (inFlight >= settings.InFlight || !lane.TryEnter(Places(lane.IsSlow)))
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
    /// How many places an endpoint may have: the fewer, the more are taken altogether. Those that hang get no more than half of all, and those
    /// that only now begin to hang no more than three quarters, so that one which is quick always finds a place.
    /// </summary>
    /// <remarks>Up to twice the calls that there may be: while some are made, others are being taken in the database.</remarks>
    private int Places(bool isSlow)
    {
        var (cap, all) = (settings.InFlightPerEndpoint, settings.InFlight);
        return isSlow
            ? inFlight < all / 4 ? cap : inFlight < (all + 1) / 2 ? Math.Min(SlowPlaces, cap) : 0
            : inFlight < all * 3 / 4 ? 2 * cap : 1;
    }
}
