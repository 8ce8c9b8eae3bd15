using System.Security.Cryptography;
using ServiceDefaults;

namespace Notifications;

/// <summary>The keys that secrets are sealed with, as an operator configures them.</summary>
public static class EncryptionKeys
{
    /// <summary>Where the key that seals is configured.</summary>
    public const string Current = "Encryption:Key";

    /// <summary>Where the key that was used before may be configured.</summary>
    public const string Previous = "Encryption:PreviousKey";

    private const int Length = 32;
    private const string Expected = "32 random bytes in base64, such as 'openssl rand -base64 32' prints";

    /// <summary>A new key, as it is configured.</summary>
    public static string Create() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(Length));

    /// <summary>The box that the configured keys open.</summary>
    /// <exception cref="StartException">The key is missing, or one of them is none.</exception>
    public static SecretBox Configured(IConfiguration configuration)
    {
        var current = Read(Current, configuration.Require(Current, Expected));
        return configuration[Previous] is { Length: > 0 } previous
            ? new SecretBox(current, Read(Previous, previous))
            : new SecretBox(current);
    }

    private static byte[] Read(string setting, string value)
    {
        var key = new byte[Length + 1];
        return Convert.TryFromBase64String(value.Trim(), key, out var written) && written == Length
            ? key[..Length]
            : throw new StartException($"{Settings.EnvironmentName(setting)} cannot serve as a key: expected {Expected}.");
    }
}
