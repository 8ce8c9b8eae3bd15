using System.Text.Json;
using Notifications.Sending;

namespace Notifications.Delivering;

/// <summary>A delivery whose attempt may be due, with all that the attempt needs.</summary>
internal sealed record DeliveryWork(
    Guid Id, int Attempt, int Step, DateTime? NextAttemptAt, DateTime UpdatedAt, Guid NotificationId, byte[]? Body, string? TraceParent, WebhookEndpoint Endpoint)
{
    /// <summary>Until when the attempt is this replica's; set by who takes it.</summary>
    public DateTime LeaseUntil { get; set; }

    /// <summary>The attempt as it goes out.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A secret cannot be opened.</exception>
    public WebhookRequest Write(SecretBox box, DateTime now) =>
        new(new Uri(Endpoint.Url), NotificationId.ToString(), Body ?? [], Keys(box, Endpoint, now), Headers(box, Endpoint), TraceParent);

    /// <summary>What an endpoint's webhooks are signed with at this time.</summary>
    public static IReadOnlyList<byte[]> Keys(SecretBox box, WebhookEndpoint endpoint, DateTime now)
    {
        var key = box.Open(endpoint.Id, endpoint.Secret);
        return endpoint.PreviousSecret is { } previous && endpoint.PreviousSecretUntil > now ? [key, box.Open(endpoint.Id, previous)] : [key];
    }

    /// <summary>What an endpoint wants to be sent along.</summary>
    public static IReadOnlyDictionary<string, string>? Headers(SecretBox box, WebhookEndpoint endpoint) =>
        endpoint.Headers is { } headers ? JsonSerializer.Deserialize<Dictionary<string, string>>(box.Open(endpoint.Id, headers)) : null;
}
