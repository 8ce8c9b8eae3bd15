using MassTransit;
using MassTransit.Context;
using MassTransit.Serialization;
using Outbox.Capturing;

namespace Outbox.Relaying;

/// <summary>
/// One send of one stored message: the pipe that hands the stored bytes and the stored headers to the transport, with
/// nothing deserialized in between.
/// </summary>
internal sealed class Delivery(StoredMessage message, MessageMetadata metadata, Func<bool> mayStart, TimeProvider time, CancellationToken cancellationToken)
    : IPipe<SendContext<SerializedMessageBody>>
{
    /// <summary>The message as the transport's type parameter sees it: the body comes from the serializer.</summary>
    public static readonly SerializedMessageBody Placeholder = new();

    /// <summary>Whether the transport was reached, so that the message may have arrived.</summary>
    public bool Started { get; private set; }

    /// <summary>Gives up waiting for the broker.</summary>
    public CancellationToken CancellationToken => cancellationToken;

    /// <exception cref="SendWithheldException">The message must not be sent now.</exception>
    public Task Send(SendContext<SerializedMessageBody> context)
    {
        // MassTransit runs the pipe again when it repeats a send of its own accord. Whether and when to repeat is the relay's decision.
        if (Started || !mayStart())
            throw new SendWithheldException(Started ? "The channel broke while the message was on its way." : "This replica may not send now.");
        Started = true;

        context.MessageId = message.MessageId;
        context.RequestId = metadata.RequestId;
        context.ConversationId = message.ConversationId;
        context.CorrelationId = message.CorrelationId;
        context.InitiatorId = metadata.InitiatorId;
        context.SourceAddress = metadata.SourceAddress;
        context.ResponseAddress = metadata.ResponseAddress;
        context.FaultAddress = metadata.FaultAddress;
        context.SupportedMessageTypes = message.MessageType.Split(';');
        if (message.ExpiresAt is { } expires)
            context.TimeToLive = expires - time.GetUtcNow().UtcDateTime;

        // The trace continues by its header: the relay has no activity of its own while it sends.
        foreach (var (name, value) in metadata.Headers ?? [])
            context.Headers.Set(name, MessageMetadata.Plain(value), true);

        if (context is TransportSendContext transport)
        {
            if (metadata.Properties is { } properties)
                transport.ReadPropertiesFrom(properties.ToDictionary(p => p.Key, p => MessageMetadata.Plain(p.Value)!, StringComparer.OrdinalIgnoreCase));
            transport.Mandatory = metadata.Mandatory;         // after the properties, which reset it
        }

        context.Serializer = new StoredBody(message);
        return Task.CompletedTask;
    }

    public void Probe(ProbeContext context) => context.CreateScope("outbox");
}

/// <summary>The pipe stopped a send. Not among the exceptions on which a transport repeats.</summary>
internal sealed class SendWithheldException(string message) : Exception(message);
