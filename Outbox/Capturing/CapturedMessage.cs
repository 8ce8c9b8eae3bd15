using System.Globalization;
using MassTransit;
using MassTransit.Context;
using MassTransit.Logging;

namespace Outbox.Capturing;

/// <summary>Turns a message that is about to be sent into a row of the outbox.</summary>
internal static class CapturedMessage
{
    /// <summary>Serializes the message and writes down everything that the transport would have been told.</summary>
    /// <exception cref="MessageException">The body is larger than <see cref="OutboxOptions.MaxBodySize"/>, the message has no id or destination, or one of its columns would be too long.</exception>
    public static OutboxMessage From<T>(SendContext<T> context, bool published, bool half, OutboxOptions options, DateTime now)
        where T : class
    {
        if (context.DestinationAddress is null)
            throw new MessageException(typeof(T), "A message for the outbox needs a destination address; found none.");

        context.TryGetPayload(out ScheduledFor? scheduled);
        scheduled?.GiveToken(context);

        // First the body: a serializer of raw bodies writes the ids and addresses into the headers while it works.
        var body = context.Serializer.GetMessageBody(context).GetBytes();
        if (body.Length > options.MaxBodySize)
            throw new MessageException(typeof(T), $"A message body may have at most {options.MaxBodySize} bytes (OutboxOptions.MaxBodySize); found {body.Length}.");

        var key = context.TryGetPayload(out PartitionKey? chosen) ? chosen.Value : options.PartitionKeys.For(typeof(T), context.Message);
        return new OutboxMessage
        {
            KeyHash = key is null ? 0 : PartitionKeys.Hash(key),
            MessageId = context.MessageId ?? throw new MessageException(typeof(T), "A message for the outbox needs a message id; found none."),
            ConversationId = context.ConversationId,
            CorrelationId = context.CorrelationId,
            MessageType = AtMost<T>(OutboxMessage.MaxMessageType, string.Join(';', context.SupportedMessageTypes), "message type"),
            DestinationAddress = AtMost<T>(OutboxMessage.MaxAddress, context.DestinationAddress.ToString(), "destination address"),
            ContentType = AtMost<T>(OutboxMessage.MaxContentType, (context.ContentType ?? context.Serialization.DefaultContentType).ToString(), "content type"),
            PartitionKey = key is { Length: > OutboxMessage.MaxPartitionKey } ? key[..OutboxMessage.MaxPartitionKey] : key,
            CreatedAt = now,
            DueAt = (scheduled?.Due ?? now + context.Delay) is { } due && due > now ? due : null,
            ExpiresAt = now + context.TimeToLive,
            Metadata = MetadataOf(context, published, half, options).ToJson(),
            Body = body,
            Size = body.Length,
        };
    }

    // Found here the error names the message; found by the database it would only fail the save.
    private static string AtMost<T>(int limit, string value, string what)
        where T : class
        => value.Length <= limit
            ? value
            : throw new MessageException(typeof(T), $"The {what} of a message for the outbox may have at most {limit} characters; found {value.Length}.");

    private static MessageMetadata MetadataOf<T>(SendContext<T> context, bool published, bool half, OutboxOptions options)
        where T : class
        => new()
        {
            RequestId = context.RequestId,
            InitiatorId = context.InitiatorId,
            SourceAddress = context.SourceAddress,
            ResponseAddress = context.ResponseAddress,
            FaultAddress = context.FaultAddress,
            Published = published,
            Mandatory = NeedsListener(typeof(T), context.DestinationAddress!) && !options.UnroutedAllowed.Contains(typeof(T)),
            Half = half,
            Headers = HeadersOf(context),
            Properties = PropertiesOf(context),
        };

    /// <summary>
    /// Nobody need wait for an answer any more, and nobody need listen to faults. Everything else must reach a queue.
    /// </summary>
    internal static bool NeedsListener(Type messageType, Uri destination)
    {
        var fault = typeof(Fault).IsAssignableFrom(messageType) || typeof(ReceiveFault).IsAssignableFrom(messageType);
        var temporary = destination.Query.Contains("temporary=true", StringComparison.OrdinalIgnoreCase)
            || destination.Query.Contains("autodelete=true", StringComparison.OrdinalIgnoreCase)
            || destination.AbsolutePath.EndsWith("amq.rabbitmq.reply-to", StringComparison.Ordinal);
        return !fault && !temporary;
    }

    private static Dictionary<string, object>? HeadersOf(SendContext context)
    {
        Dictionary<string, object>? headers = null;
        foreach (var (name, value) in context.Headers.GetAll())
        {
            if (value is not null)
                (headers ??= [])[name] = Storable(value);
        }

        // Without a listener MassTransit writes no trace context; a trace that others follow is kept all the same.
        if (System.Diagnostics.Activity.Current is { Id: { } traceParent })
            (headers ??= []).TryAdd(DiagnosticHeaders.ActivityId, traceParent);
        return headers;
    }

    private static Dictionary<string, object>? PropertiesOf<T>(SendContext<T> context)
        where T : class
    {
        if (context is not TransportSendContext transport)
            return null;

        var properties = new Dictionary<string, object>(StringComparer.OrdinalIgnoreCase);
        transport.WritePropertiesTo(properties);

        // Told by columns of their own: when the row is due, and where it goes.
        properties.Remove(nameof(SendContext.Delay));
        properties.Remove(nameof(PublishContext.Mandatory));
        foreach (var (name, value) in properties)
            properties[name] = Storable(value);
        return properties.Count > 0 ? properties : null;
    }

    private static object Storable(object value) => value switch
    {
        string or bool or byte or int or long or double or string[] => value,
        short or ushort or uint or sbyte => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        float or decimal => Convert.ToDouble(value, CultureInfo.InvariantCulture),
        DateTime time => time.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture),
        DateTimeOffset time => time.ToString("O", CultureInfo.InvariantCulture),
        IEnumerable<string> many => many.ToArray(),
        IFormattable or Uri => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
        _ => System.Text.Json.JsonSerializer.Serialize(value, MassTransit.Serialization.SystemTextJsonMessageSerializer.Options),
    };
}

/// <summary>The partition key that the sender chose for one message.</summary>
internal sealed record PartitionKey(string Value);
