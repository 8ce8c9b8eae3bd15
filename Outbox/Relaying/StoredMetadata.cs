using System.Collections.Concurrent;
using Outbox.Capturing;

namespace Outbox.Relaying;

/// <summary>
/// The metadata of a message, read. Messages of one type mostly have the same, to the letter: the last one of each type
/// is remembered.
/// </summary>
internal sealed class StoredMetadata
{
    private static readonly ConcurrentDictionary<string, StoredMetadata> LastOfType = new(StringComparer.Ordinal);

    private readonly string _json;

    private StoredMetadata(string json, string messageType)
    {
        _json = json;
        Metadata = MessageMetadata.FromJson(json);
        MessageTypes = messageType.Split(';');
        Headers = [.. (Metadata.Headers ?? []).Select(h => (h.Key, MessageMetadata.Plain(h.Value)))];
        Properties = Metadata.Properties?.ToDictionary(p => p.Key, p => MessageMetadata.Plain(p.Value)!, StringComparer.OrdinalIgnoreCase);
    }

    public MessageMetadata Metadata { get; }

    public string[] MessageTypes { get; }

    public IReadOnlyList<(string Name, object? Value)> Headers { get; }

    public IReadOnlyDictionary<string, object>? Properties { get; }

    /// <exception cref="System.Text.Json.JsonException">The metadata is not what was stored.</exception>
    public static StoredMetadata Of(StoredMessage message)
        => LastOfType.TryGetValue(message.MessageType, out var last) && last._json == message.Metadata
            ? last
            : LastOfType[message.MessageType] = new StoredMetadata(message.Metadata, message.MessageType);
}
