using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using MassTransit;

namespace Outbox.Relaying;

/// <summary>Sends stored messages to the broker. Each delivery ends with the broker's answer, or when it is given up.</summary>
internal sealed class Sender(BrokerRoute route, TimeProvider time)
{
    private readonly PublishedTypes _publishedTypes = new();
    private readonly KnownEndpoints _known = new(time);
    private bool _isUsed;

    /// <summary>Sends a message and brings its delivery to an end. Never throws.</summary>
    /// <remarks>Whoever gives a delivery up ends it. What is left behind here may not begin any more, and ends unseen.</remarks>
    public async Task Send(Delivery delivery)
    {
        Volatile.Write(ref _isUsed, true);
        ISendEndpoint? endpoint = null;
        Exception? fault = null;
        try
        {
            endpoint = await EndpointOf(delivery).ConfigureAwait(false);
            await endpoint.Send(Delivery.Placeholder, delivery, route.Left).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            fault = exception;
        }

        if (fault is null)
            delivery.End(Outcome.Confirmed);
        else if (endpoint is null || delivery.IsInFilters)
            delivery.End(BrokerAnswer.Before(fault));
        else
            delivery.Failed(fault);
    }

    /// <summary>Sees to it that what is on its way ends, if its way has ended and nobody said so.</summary>
    public void Inspect() => route.Inspect();

    /// <summary>Leaves behind the way by which was sent, and whatever it still holds.</summary>
    public async Task LetGo()
    {
        if (!Interlocked.Exchange(ref _isUsed, false))
            return;
        await route.Abandon().ConfigureAwait(false);
        _known.Forget();                                   // last: until then what is found may be of what is abandoned
    }

    private ValueTask<ISendEndpoint> EndpointOf(Delivery delivery)
    {
        var message = delivery.Message;
        if (delivery.IsPublished && _publishedTypes.Find(message.MessageType) is { } type)
            return _known.TryGet(message.MessageType, out var known) ? new(known) : _known.Remember(message.MessageType, () => route.To(type));
        return _known.TryGet(message.DestinationAddress, out var endpoint)
            ? new(endpoint)
            : _known.Remember(message.DestinationAddress, () => route.To(new Uri(message.DestinationAddress)));
    }
}

/// <summary>
/// Endpoints as they were handed out a moment ago. The bus keeps them too, but to ask it for one costs more than to send by it. It
/// drops the ones that nobody asks for, so they are asked for again after a while.
/// </summary>
internal sealed class KnownEndpoints(TimeProvider time)
{
    private const int Most = 1000;
    private static readonly TimeSpan While = TimeSpan.FromSeconds(5);

    private ConcurrentDictionary<string, (ISendEndpoint Endpoint, long Since)> _known = new(StringComparer.Ordinal);

    public bool TryGet(string name, [NotNullWhen(true)] out ISendEndpoint? endpoint)
    {
        endpoint = _known.TryGetValue(name, out var known) && time.GetElapsedTime(known.Since) < While ? known.Endpoint : null;
        return endpoint is not null;
    }

    /// <summary>Forgets all of them, and those that are being found.</summary>
    public void Forget() => Volatile.Write(ref _known, new(StringComparer.Ordinal));

    public async ValueTask<ISendEndpoint> Remember(string name, Func<Task<ISendEndpoint>> find)
    {
        var known = Volatile.Read(ref _known);
        var endpoint = await find().ConfigureAwait(false);
        if (known.Count >= Most)
            known.Clear();                                 // addresses of requesters, which come and go
        known[name] = (endpoint, time.GetTimestamp());
        return endpoint;
    }
}
