using System.Text.Json;
using System.Text.Json.Serialization;

namespace Outbox.Preparing;

/// <summary>
/// The history of a half message as its row keeps it: a JSON object a line, so that a decision can append its own without
/// reading what was there.
/// </summary>
internal static class HalfHistory
{
    /// <summary>How many events are kept; the oldest go.</summary>
    public const int Limit = 20;

    private const int LongestDetail = 300;

    /// <summary>One event, ready to be appended.</summary>
    public static string Line(HalfMessageEvent entry)
    {
        var detail = entry.Detail is { Length: > LongestDetail } detailed ? detailed[..LongestDetail] : entry.Detail;
        return JsonSerializer.Serialize(entry with { Detail = detail }, HalfHistoryJson.Default.HalfMessageEvent) + "\n";
    }

    /// <summary>A history with one event more, and no more than the limit.</summary>
    public static string Append(string? history, HalfMessageEvent entry)
        => string.Concat(Lines(history).TakeLast(Limit - 1).Select(line => line + "\n")) + Line(entry);

    /// <summary>The events, the oldest first.</summary>
    public static IReadOnlyList<HalfMessageEvent> Read(string? history)
        => [.. Lines(history).TakeLast(Limit).Select(line => JsonSerializer.Deserialize(line, HalfHistoryJson.Default.HalfMessageEvent)!)];

    private static string[] Lines(string? history) => (history ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true)]
[JsonSerializable(typeof(HalfMessageEvent))]
internal sealed partial class HalfHistoryJson : JsonSerializerContext;
