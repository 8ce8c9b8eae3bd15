using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using MassTransit;

namespace Outbox.Relaying;

/// <summary>Sends stored messages to the broker. Each delivery ends with the broker's answer, or when it is given up.</summary>
internal sealed class Sender : IDisposable
{
    private readonly BrokerRoute _route;
    private readonly PublishedTypes _publishedTypes = new();
    private readonly KnownEndpoints _known;
    private readonly ConnectHandle[] _observers;
    private CancellationTokenSource _held = new();
    private int _underway;
    private bool _isUsed;

    public Sender(IBus bus, BrokerRoute route, TimeProvider time)
    {
        (_route, _known) = (route, new KnownEndpoints(time));
        var faults = new TransportFaults();
        _observers = [bus.ConnectSendObserver(faults), bus.ConnectPublishObserver(faults)];
    }

    /// <summary>Sends a message and brings its delivery to an end. Never throws.</summary>
    /// <remarks>
    /// A transport does not always end what it was told to give up: not while it makes a channel, nor when its client has lost a
    /// confirmation. So whoever gives a delivery up ends it, and what is left behind here may not begin any more, and ends unseen.
    /// One token for all: one for each would cost more than the send itself.
    /// </remarks>
    public async Task Send(Delivery delivery)
    {
        Interlocked.Increment(ref _underway);
        Volatile.Write(ref _isUsed, true);
        ISendEndpoint? endpoint = null;
        Outcome outcome;
        try
        {
            endpoint = await EndpointOf(delivery).ConfigureAwait(false);
            await endpoint.Send(Delivery.Placeholder, delivery, _held.Token).ConfigureAwait(false);
            outcome = Outcome.Confirmed;
        }
        catch (Exception exception)
        {
            outcome = endpoint is null ? new Outcome(OutcomeKind.Refused, exception) : BrokerAnswer.To(exception, delivery.ReachedTransport);
        }

        // Before the end, which starts the next send.
        Interlocked.Decrement(ref _underway);
        delivery.End(outcome);
    }

    /// <summary>
    /// Leaves behind the way by which was sent, and has the transport let go of sends that it still holds. It replaces no broken
    /// connection while it waits for one of them, and nobody could reach the broker any more.
    /// </summary>
    public async Task LetGo()
    {
        if (Interlocked.Exchange(ref _isUsed, false))
        {
            _known.Forget();
            await _route.Abandon().ConfigureAwait(false);
        }

        if (Volatile.Read(ref _underway) == 0)
            return;
        var held = Interlocked.Exchange(ref _held, new CancellationTokenSource());
        await held.CancelAsync().ConfigureAwait(false);
        held.Dispose();
    }

    public void Dispose()
    {
        foreach (var observer in _observers)
            observer.Dispose();
        _held.Dispose();
    }

    private ValueTask<ISendEndpoint> EndpointOf(Delivery delivery)
    {
        var message = delivery.Message;
        if (delivery.IsPublished && _publishedTypes.Find(message.MessageType) is { } type)
            return _known.TryGet(message.MessageType, out var known) ? new(known) : _known.Remember(message.MessageType, _route.To(type));
        return _known.TryGet(message.DestinationAddress, out var endpoint)
            ? new(endpoint)
            : _known.Remember(message.DestinationAddress, _route.To(new Uri(message.DestinationAddress)));
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

    private readonly ConcurrentDictionary<string, (ISendEndpoint Endpoint, long Since)> _known = new(StringComparer.Ordinal);

    public bool TryGet(string name, [NotNullWhen(true)] out ISendEndpoint? endpoint)
    {
        endpoint = _known.TryGetValue(name, out var known) && time.GetElapsedTime(known.Since) < While ? known.Endpoint : null;
        return endpoint is not null;
    }

    public void Forget() => _known.Clear();

    public async ValueTask<ISendEndpoint> Remember(string name, Task<ISendEndpoint> finding)
    {
        var endpoint = await finding.ConfigureAwait(false);
        if (_known.Count >= Most)
            _known.Clear();                                // addresses of requesters, which come and go
        _known[name] = (endpoint, time.GetTimestamp());
        return endpoint;
    }
}
