using MassTransit;

namespace Outbox.Relaying;

/// <summary>Sends stored messages to the broker, and says what became of each.</summary>
internal sealed class Sender : IDisposable
{
    private readonly IBus _bus;
    private readonly PublishEndpoints _publishEndpoints;
    private readonly ConnectHandle[] _observers;

    public Sender(IBus bus)
    {
        (_bus, _publishEndpoints) = (bus, new PublishEndpoints(bus));
        var faults = new TransportFaults();
        _observers = [bus.ConnectSendObserver(faults), bus.ConnectPublishObserver(faults)];
    }

    /// <summary>Sends a message and waits for the broker's answer. Never throws.</summary>
    public async Task<Outcome> Send(Delivery delivery)
    {
        // A transport does not always end what it was told to give up: not while it makes a channel, nor when its client
        // has lost a confirmation. What is left behind there may not begin any more, and ends unseen.
        var givenUp = delivery.GivenUp;
        ISendEndpoint endpoint;
        try
        {
            endpoint = await EndpointOf(delivery).WaitAsync(givenUp).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            return new Outcome(givenUp.IsCancellationRequested ? OutcomeKind.NotStarted : OutcomeKind.Refused, exception);
        }

        try
        {
            await endpoint.Send(Delivery.Placeholder, delivery, givenUp).WaitAsync(givenUp).ConfigureAwait(false);
            return Outcome.Confirmed;
        }
        catch (Exception exception)
        {
            return BrokerAnswer.To(delivery.Fault ?? exception, delivery.ReachedTransport);
        }
    }

    public void Dispose()
    {
        foreach (var observer in _observers)
            observer.Dispose();
    }

    private Task<ISendEndpoint> EndpointOf(Delivery delivery)
        => delivery.IsPublished && _publishEndpoints.For(delivery.Message.MessageType) is { } endpoint
            ? endpoint
            : _bus.GetSendEndpoint(new Uri(delivery.Message.DestinationAddress));
}
