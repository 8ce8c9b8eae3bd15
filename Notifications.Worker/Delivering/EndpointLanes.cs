using System.Collections.Concurrent;

namespace Notifications.Delivering;

/// <summary>The lanes of the endpoints that a replica has lately called, and how much is under way in all of them.</summary>
internal sealed class EndpointLanes(DeliverySettings settings, TimeProvider time)
{
    private static readonly TimeSpan KeptIdle = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<Guid, EndpointLane> lanes = [];
    private int inFlight;

    /// <summary>How much is under way.</summary>
    public int InFlight => Volatile.Read(ref inFlight);

    /// <summary>The lane of an endpoint.</summary>
    public EndpointLane Of(Guid endpointId) => lanes.GetOrAdd(endpointId, _ => new EndpointLane(settings.InFlightPerEndpoint, time));

    /// <summary>Whether another attempt may begin in this lane; if so, <see cref="Leave"/> must follow.</summary>
    public bool TryEnter(EndpointLane lane)
    {
        if (Interlocked.Increment(ref inFlight) <= settings.InFlight && lane.TryEnter())
        {
            return true;
        }

        Interlocked.Decrement(ref inFlight);
        return false;
    }

    /// <inheritdoc cref="EndpointLane.Leave"/>
    public void Leave(EndpointLane lane, TimeSpan? took)
    {
        lane.Leave(took);
        Interlocked.Decrement(ref inFlight);
    }

    /// <summary>Forgets the lanes that have not been used for long.</summary>
    public void Tidy()
    {
        var since = time.GetUtcNow() - KeptIdle;
        foreach (var (id, lane) in lanes)
        {
            if (lane.IsIdle(since))
            {
                lanes.TryRemove(id, out _);
            }
        }
    }
}
