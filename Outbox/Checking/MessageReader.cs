using System.Net.Mime;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Context;
using MassTransit.Serialization;
using MassTransit.Transports;
using Outbox.Capturing;

namespace Outbox.Checking;

/// <summary>Turns a stored body back into the message, as a consumer of the bus would see it.</summary>
internal sealed class MessageReader(IEnumerable<IBusInstance> buses)
{
    private ISerialization Serialization => field ??= buses.First(b => b.InstanceType == typeof(IBus))
        .HostConfiguration.BusConfiguration.Serialization.CreateSerializerCollection();

    /// <exception cref="MessageException">What is stored is no message of this type.</exception>
    public T Read<T>(OutboxMessage row)
        where T : class
    {
        var headers = (MessageMetadata.FromJson(row.Metadata).Headers ?? []).ToDictionary(h => h.Key, h => MessageMetadata.Plain(h.Value)!, StringComparer.OrdinalIgnoreCase);
        var context = Serialization.GetMessageDeserializer(new ContentType(row.ContentType))
            .Deserialize(new BytesMessageBody(row.Body), new JsonTransportHeaders(new DictionaryHeaderProvider(headers)), new Uri(row.DestinationAddress));
        return context.TryGetMessage<T>(out var message) && message is not null
            ? message
            : throw new MessageException(typeof(T), $"The body of half message {row.MessageId} must be a {typeof(T).Name}; found {row.MessageType}.");
    }
}
