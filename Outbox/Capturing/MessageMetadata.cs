using System.Text.Json;
using System.Text.Json.Serialization;

namespace Outbox.Capturing;

/// <summary>What the transport must be told besides the body, kept as JSON in <see cref="OutboxMessage.Metadata"/>.</summary>
internal sealed record MessageMetadata
{
    public Guid? RequestId { get; init; }

    public Guid? InitiatorId { get; init; }

    public Uri? SourceAddress { get; init; }

    public Uri? ResponseAddress { get; init; }

    public Uri? FaultAddress { get; init; }

    /// <summary>The message was published, so that its destination follows from its type.</summary>
    public bool Published { get; init; }

    /// <summary>Somebody must be listening: a message that reaches no queue counts as not sent.</summary>
    public bool Mandatory { get; init; }

    /// <summary>The message was prepared: its row is kept for a while once it is done with.</summary>
    public bool Half { get; init; }

    public Dictionary<string, object>? Headers { get; init; }

    /// <summary>The transport's own settings: priority, routing key, durability.</summary>
    public Dictionary<string, object>? Properties { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, MessageMetadataJson.Default.MessageMetadata);

    public static MessageMetadata FromJson(string json)
        => JsonSerializer.Deserialize(json, MessageMetadataJson.Default.MessageMetadata)
            ?? throw new JsonException("The metadata of an outbox message must be a JSON object; found null.");

    /// <summary>A header's value as the transport takes it: JSON's own types become the nearest CLR ones.</summary>
    public static object? Plain(object? value) => value is not JsonElement json
        ? value
        : json.ValueKind switch
        {
            JsonValueKind.String => json.GetString(),
            JsonValueKind.Number => json.TryGetInt64(out var whole) ? whole : json.GetDouble(),
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Null or JsonValueKind.Undefined => null,
            JsonValueKind.Array when json.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String)
                => json.EnumerateArray().Select(e => e.GetString()!).ToArray(),
            _ => json.GetRawText(),
        };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(MessageMetadata))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(byte))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(long))]
[JsonSerializable(typeof(double))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class MessageMetadataJson : JsonSerializerContext;
