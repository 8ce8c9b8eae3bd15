using MassTransit;
using MassTransit.Context;
using MassTransit.Serialization;
using MassTransit.Transports;
using Outbox.Capturing;

namespace Outbox.Relaying;

/// <summary>
/// One send of one stored message: the pipe that hands the stored bytes and the stored headers to the transport, with
/// nothing deserialized in between; and the one place that knows how the send has ended.
/// </summary>
/// <param name="message">The message.</param>
/// <param name="alone">Whether nothing else is on its way until it ends.</param>
/// <param name="dispatch">Asked at the last moment whether the send may begin, and told how it ended.</param>
/// <param name="time">The clocks.</param>
internal sealed class Delivery(StoredMessage message, bool alone, Dispatch dispatch, TimeProvider time)
    : IPipe<SendContext<SerializedMessageBody>>, ISendContextPipe
{
    /// <summary>The message as the transport's type parameter sees it: the body comes from the serializer.</summary>
    public static readonly SerializedMessageBody Placeholder = new();

    private readonly StoredMetadata _stored = message.Stored;
    private StoredMessage? _message = message;
    private bool _hasChannel;
    private int _ended;

    public StoredMessage Message => _message ?? throw new InvalidOperationException("The delivery has ended, and its message may be on its way again.");

    /// <summary>Whether nothing else is on its way until it ends, so that a failure is its own.</summary>
    public bool IsAlone => alone;

    /// <summary>Whether the message goes where its type is published to.</summary>
    public bool IsPublished => _stored.Metadata.Published;

    /// <summary>When the sending began, as a timestamp.</summary>
    public long StartedAt { get; } = time.GetTimestamp();

    /// <summary>Whether there is a channel for it, and the filters of the bus have it: they come before the pipe.</summary>
    public bool IsInFilters => _hasChannel && !ReachedTransport;

    /// <summary>Whether the transport was reached, so that the message may have arrived.</summary>
    public bool ReachedTransport { get; private set; }

    /// <summary>Whether the transport itself reported a failure, and not the relay that it would wait no longer.</summary>
    public bool IsFaulted { get; private set; }

    /// <summary>Whether the broker was silent for too long.</summary>
    public bool HasTimedOut { get; private set; }

    /// <summary>Whether the end has come; what the transport says later is not heard.</summary>
    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    /// <summary>The end, whichever comes first.</summary>
    public void End(Outcome outcome)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
            dispatch.Ended(this, outcome);
    }

    /// <summary>Stops waiting, because the broker was silent for too long.</summary>
    public void TimeOut()
    {
        HasTimedOut = true;
        GiveUp();
    }

    /// <summary>Stops waiting for the broker.</summary>
    public void GiveUp() => End(BrokerAnswer.To(new OperationCanceledException("The relay waits for the broker no longer."), ReachedTransport));

    /// <summary>The transport failed. It would try again by its own rules; whether and when to try again is the relay's decision.</summary>
    public void Failed(Exception fault)
    {
        IsFaulted = true;
        End(BrokerAnswer.To(fault, ReachedTransport));
    }

    /// <summary>Lets go of the body: a transport may hold on to a send that it cannot end.</summary>
    public void Release() => _message = null;

    /// <exception cref="SendWithheldException">The message must not be sent now.</exception>
    /// <exception cref="UnsendableException">What is stored cannot be handed to a transport.</exception>
    public Task Send(SendContext<SerializedMessageBody> context)
    {
        if (ReachedTransport || HasEnded || !dispatch.MayStart)
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

    /// <summary>Called before the filters of the bus.</summary>
    Task ISendContextPipe.Send<T>(SendContext<T> context)
    {
        _hasChannel = true;
        return Task.CompletedTask;
    }

    public void Probe(ProbeContext context) => context.CreateScope("outbox");

    private void Fill(SendContext<SerializedMessageBody> context)
    {
        var (message, metadata) = (Message, _stored.Metadata);
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
        foreach (var (name, value) in _stored.Headers)
            context.Headers.Set(name, value, true);

        if (context is TransportSendContext transport)
        {
            if (_stored.Properties is { } properties)
                transport.ReadPropertiesFrom(properties);
            transport.Mandatory = metadata.Mandatory;          // after the properties, which reset it
        }

        context.Serializer = new StoredBody(this, message);
    }
}

/// <summary>The pipe stopped a send. Not among the exceptions on which a transport repeats.</summary>
internal sealed class SendWithheldException(string message) : Exception(message);

/// <summary>What is stored cannot be handed to a transport, now or ever.</summary>
internal sealed class UnsendableException(Exception cause) : Exception($"The stored message cannot be sent as it is: {cause.Message}", cause);
