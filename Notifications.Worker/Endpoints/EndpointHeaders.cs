using Notifications.Sending;

namespace Notifications;

/// <summary>Which headers a receiver may have sent along, and how many.</summary>
internal static class EndpointHeaders
{
    private const int Max = 20;
    private const int MaxName = 64;
    private const int MaxValue = 1024;

    /// <summary>What is wrong with them; null when nothing is.</summary>
    public static string? Refuse(IReadOnlyDictionary<string, string?>? headers)
    {
        if (headers is null)
        {
            return null;
        }

        if (headers.Count > Max || headers.Keys.Distinct(StringComparer.OrdinalIgnoreCase).Count() < headers.Count)
        {
            return $"must be {Max} at most, each named once.";
        }

        return headers.Select(header => Refuse(header.Key, header.Value)).FirstOrDefault(error => error is not null);
    }

    private static string? Refuse(string name, string? value) =>
        name.Length > MaxName ? $"must have names of {MaxName} characters at most."
        : value is not { Length: > 0 and <= MaxValue } ? $"must have for '{name}' a value of 1 to {MaxValue} characters."
        : WebhookHeaders.Refuse(name, value);
}
