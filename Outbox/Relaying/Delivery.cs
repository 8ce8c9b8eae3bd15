using MassTransit;
using MassTransit.Context;
using MassTransit.Serialization;
using Outbox.Capturing;

namespace Outbox.Relaying;

/// <summary>
/// One send of one stored message: the pipe that hands the stored bytes and the stored headers to the transport, with
/// nothing deserialized in between.
/// </summary>
/// <param name="message">The message.</param>
/// <param name="mayStart">Asked at the last moment.</param>
/// <param name="time">The clocks.</param>
internal sealed class Delivery(StoredMessage message, Func<bool> mayStart, TimeProvider time) : IPipe<SendContext<SerializedMessageBody>>, IDisposable
{
    /// <summary>The message as the transport's type parameter sees it: the body comes from the serializer.</summary>
    public static readonly SerializedMessageBody Placeholder = new();

    private readonly CancellationTokenSource _givenUp = new();
    private readonly StoredMetadata _stored = StoredMetadata.Of(message);

    public StoredMessage Message => message;

    /// <summary>Whether the message goes where its type is published to.</summary>
    public bool IsPublished => _stored.Metadata.Published;

    /// <summary>When the sending began, as a timestamp.</summary>
    public long StartedAt { get; } = time.GetTimestamp();

    /// <summary>Whether the transport was reached, so that the message may have arrived.</summary>
    public bool ReachedTransport { get; private set; }

    /// <summary>What the transport reported, before it would have tried again of its own accord.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Ends the waiting for the broker.</summary>
    public CancellationToken GivenUp => _givenUp.Token;

    /// <summary>Whether the broker was silent for too long.</summary>
    public bool HasTimedOut { get; private set; }

    /// <summary>Stops waiting, because the broker was silent for too long.</summary>
    public void TimeOut()
    {
        HasTimedOut = true;
        GiveUp();
    }

    /// <summary>Stops waiting for the broker.</summary>
    public void GiveUp()
    {
        try
        {
            _givenUp.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended at this very moment.
        }
    }

    /// <summary>The transport failed. It would try again by its own rules; whether and when to try again is the relay's decision.</summary>
    public void Failed(Exception fault)
    {
        Fault ??= fault;
        GiveUp();
    }

    /// <exception cref="SendWithheldException">The message must not be sent now.</exception>
    /// <exception cref="UnsendableException">What is stored cannot be handed to a transport.</exception>
    public Task Send(SendContext<SerializedMessageBody> context)
    {
        if (ReachedTransport || _givenUp.IsCancellationRequested || !mayStart())
            throw new SendWithheldException(ReachedTransport ? "The transport wanted to repeat a send." : "This replica may not send it now.");
        ReachedTransport = true;

        try
        {
            Fill(context);
        }
        catch (Exception exception)
        {
            throw new UnsendableException(exception);
        }

        return Task.CompletedTask;
    }

    public void Probe(ProbeContext context) => context.CreateScope("outbox");

    public void Dispose() => _givenUp.Dispose();

    private void Fill(SendContext<SerializedMessageBody> context)
    {
        var metadata = _stored.Metadata;
        context.MessageId = message.MessageId;
        context.RequestId = metadata.RequestId;
        context.ConversationId = message.ConversationId;
        context.CorrelationId = message.CorrelationId;
        context.InitiatorId = metadata.InitiatorId;
        context.SourceAddress = metadata.SourceAddress;
        context.ResponseAddress = metadata.ResponseAddress;
        context.FaultAddress = metadata.FaultAddress;
        context.SupportedMessageTypes = _stored.MessageTypes;
        if (message.ExpiresAt is { } expires)
            context.TimeToLive = expires - time.GetUtcNow().UtcDateTime;

        // The trace continues by its header: the relay has no activity of its own while it sends.
        foreach (var (name, value) in metadata.Headers ?? [])
            context.Headers.Set(name, MessageMetadata.Plain(value), true);

        if (context is TransportSendContext transport)
        {
            if (_stored.Properties is { } properties)
                transport.ReadPropertiesFrom(properties);
            transport.Mandatory = metadata.Mandatory;          // after the properties, which reset it
        }

        context.Serializer = new StoredBody(this);
    }
}

/// <summary>The pipe stopped a send. Not among the exceptions on which a transport repeats.</summary>
internal sealed class SendWithheldException(string message) : Exception(message);

/// <summary>What is stored cannot be handed to a transport, now or ever.</summary>
internal sealed class UnsendableException(Exception cause) : Exception($"The stored message cannot be sent as it is: {cause.Message}", cause);
