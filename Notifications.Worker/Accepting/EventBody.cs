using System.Text.Json;

namespace Notifications;

/// <summary>The body of an event as the Standard Webhooks specification has it: <c>{type, timestamp, data}</c>.</summary>
internal static class EventBody
{
    /// <summary>The bytes that are stored, signed and sent.</summary>
    /// <exception cref="InvalidOperationException">They are more than receivers need to accept.</exception>
    public static byte[] Write(Happening happening)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new { happening.Type, Timestamp = happening.OccurredAt, happening.Data }, JsonSerializerOptions.Web);
        return body.Length < BusinessEvent.MaxBody
            ? body
            : throw new InvalidOperationException(
                $"The body of {happening.Type} '{happening.BusinessKey}' must have less than {BusinessEvent.MaxBody} bytes and has {body.Length}.");
    }

    /// <summary>The <c>data</c> of a body; null when the body is not kept any more.</summary>
    public static JsonElement? Data(byte[]? body) =>
        body is null ? null : JsonElement.Parse(body).GetProperty("data");
}
