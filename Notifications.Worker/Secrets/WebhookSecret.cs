using System.Security.Cryptography;

namespace Notifications;

/// <summary>The secret that an endpoint's deliveries are signed with, after the Standard Webhooks specification.</summary>
public static class WebhookSecret
{
    private const string Prefix = "whsec_";
    private const int Length = 32;

    /// <summary>A new key: what HMAC takes, and what is sealed.</summary>
    public static byte[] Create() => RandomNumberGenerator.GetBytes(Length);

    /// <summary>The key as its receiver gets to see it, once.</summary>
    public static string Show(byte[] key) => Prefix + Convert.ToBase64String(key);
}
