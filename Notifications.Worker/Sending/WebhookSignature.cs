using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Notifications.Sending;

/// <summary>Signs as the Standard Webhooks specification has it: HMAC-SHA256 over <c>{id}.{timestamp}.{body}</c>.</summary>
public static class WebhookSignature
{
    private const string Version = "v1,";

    /// <summary>The value of <c>webhook-signature</c>: a signature per key, separated by spaces.</summary>
    /// <param name="id">The value of <c>webhook-id</c>.</param>
    /// <param name="timestamp">The value of <c>webhook-timestamp</c>: seconds since 1970.</param>
    /// <param name="body">The bytes that are sent.</param>
    /// <param name="keys">The endpoint's key; during a rotation also the one before.</param>
    public static string Sign(string id, long timestamp, byte[] body, IEnumerable<byte[]> keys)
    {
        byte[] signed = [.. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}.")), .. body];
        return string.Join(' ', keys.Select(key => Version + Convert.ToBase64String(HMACSHA256.HashData(key, signed))));
    }
}
