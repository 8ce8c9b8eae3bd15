using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver's API key: 256 random bits, so that one round of SHA-256 is a safe way to keep it.</summary>
public static class ApiKey
{
    /// <summary>Where the key of the receiver <c>default</c> is configured.</summary>
    public const string Setting = "Receivers:Default:ApiKey";

    private const int MinLength = 32;
    private const string Prefix = "rk_";

    /// <summary>A new key.</summary>
    public static string Create() => Create(Prefix);

    internal static string Create(string prefix) => prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>What is stored of a key, and looked up.</summary>
    public static string Hash(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    /// <summary>The configured key of the receiver <c>default</c>.</summary>
    /// <exception cref="StartException">It is missing or too short to be random.</exception>
    public static string Configured(IConfiguration configuration) => Configured(configuration, Setting);

    internal static string Configured(IConfiguration configuration, string setting)
    {
        const string expected = "a random key of 32 characters or more, such as 'openssl rand -hex 32' prints";
        var key = configuration.Require(setting, expected);
        return key.Length >= MinLength && key.All(c => c is > ' ' and <= '~')
            ? key
            : throw new StartException($"{Settings.EnvironmentName(setting)} cannot serve as a key: expected {expected}.");
    }
}
