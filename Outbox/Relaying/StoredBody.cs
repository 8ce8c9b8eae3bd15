using System.Collections.Concurrent;
using System.Net.Mime;
using MassTransit;

namespace Outbox.Relaying;

/// <summary>Gives the transport the bytes as they were stored.</summary>
internal sealed class StoredBody(Delivery delivery, StoredMessage message) : IMessageSerializer
{
    private static readonly ConcurrentDictionary<string, ContentType> ContentTypes = new(StringComparer.Ordinal);

    /// <summary>The send that the body belongs to.</summary>
    public Delivery Delivery => delivery;

    public ContentType ContentType { get; } = ContentTypes.GetOrAdd(message.ContentType, static text => new ContentType(text));

    public MessageBody GetMessageBody<T>(SendContext<T> context)
        where T : class
        => new BytesMessageBody(message.Body);
}
