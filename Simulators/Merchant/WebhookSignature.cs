using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Simulators;

/// <summary>Verifies a webhook as the Standard Webhooks specification has it, from the receiver's side.</summary>
/// <remarks>Written without a look at the sender's code, so that a mistake in one is not a mistake in both.</remarks>
internal static class WebhookSignature
{
    public const string SecretPrefix = "whsec_";

    private const string Version = "v1,";
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    /// <summary>The key's bytes; null when the text is no secret.</summary>
    public static byte[]? ReadSecret(string text)
    {
        if (!text.StartsWith(SecretPrefix, StringComparison.Ordinal))
        {
            return null;
        }

        var encoded = text[SecretPrefix.Length..];
        var bytes = new byte[encoded.Length];
        return Convert.TryFromBase64String(encoded, bytes, out var length) && length is >= 24 and <= 64 ? bytes[..length] : null;
    }

    /// <summary>Why these headers do not belong to this body; null when they do.</summary>
    public static string? Refuse(byte[] secret, string? id, string? timestamp, string? signatures, byte[] body, DateTimeOffset now)
    {
        if (string.IsNullOrEmpty(id) || string.IsNullOrEmpty(timestamp) || string.IsNullOrEmpty(signatures))
        {
            return "webhook-id, webhook-timestamp and webhook-signature are required.";
        }

        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || Math.Abs((decimal)now.ToUnixTimeSeconds() - seconds) > (decimal)Tolerance.TotalSeconds)
        {
            return $"webhook-timestamp is '{timestamp}': expected seconds within {Tolerance.TotalMinutes} minutes of {now.ToUnixTimeSeconds()}.";
        }

        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body];
        var expected = HMACSHA256.HashData(secret, signed);
        return signatures.Split(' ').Any(signature => Matches(signature, expected)) ? null : "no signature belongs to this body and secret.";
    }

    private static bool Matches(string signature, byte[] expected)
    {
        Span<byte> found = stackalloc byte[SHA256.HashSizeInBytes];
        return signature.StartsWith(Version, StringComparison.Ordinal)
            && Convert.TryFromBase64Chars(signature.AsSpan(Version.Length), found, out var length)
            && length == found.Length
            && CryptographicOperations.FixedTimeEquals(found, expected);
    }
}
