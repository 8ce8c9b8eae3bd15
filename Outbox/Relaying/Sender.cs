using MassTransit;
using Outbox.Capturing;

namespace Outbox.Relaying;

/// <summary>Sends stored messages to the broker, and says what became of each.</summary>
internal sealed class Sender(IBus bus, TimeProvider time)
{
    private readonly PublishEndpoints _publishEndpoints = new(bus);

    /// <summary>Sends one message and waits for the broker's answer. Never throws.</summary>
    /// <param name="message">The message.</param>
    /// <param name="mayStart">Asked at the last moment, in the transport's pipe.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async Task<Outcome> Send(StoredMessage message, Func<bool> mayStart, CancellationToken cancellationToken)
    {
        if (message.IsExpired(time.GetUtcNow().UtcDateTime))
            return Outcome.Expired;

        Delivery delivery;
        ISendEndpoint endpoint;
        try
        {
            var metadata = MessageMetadata.FromJson(message.Metadata);
            delivery = new Delivery(message, metadata, mayStart, time, cancellationToken);
            endpoint = await EndpointOf(message, metadata.Published).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            return new Outcome(OutcomeKind.Refused, exception);
        }

        try
        {
            await endpoint.Send(Delivery.Placeholder, delivery, cancellationToken).ConfigureAwait(false);
            return Outcome.Confirmed;
        }
        catch (Exception exception)
        {
            return BrokerAnswer.To(exception, delivery.Started);
        }
    }

    private Task<ISendEndpoint> EndpointOf(StoredMessage message, bool published)
        => published && _publishEndpoints.For(message.MessageType) is { } endpoint
            ? endpoint
            : bus.GetSendEndpoint(new Uri(message.DestinationAddress));
}
