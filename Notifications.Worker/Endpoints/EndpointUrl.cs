using Notifications.Sending;

namespace Notifications;

/// <summary>Which addresses an endpoint may have. Whether the machine behind one may be called is seen when it is connected to.</summary>
internal static class EndpointUrl
{
    /// <summary>What is wrong with an address; null when nothing is.</summary>
    public static string? Refuse(string? text, AllowedDestinations destinations)
    {
        if (string.IsNullOrEmpty(text) || text.Length > WebhookEndpoint.MaxUrl)
        {
            return $"must be an address of 1 to {WebhookEndpoint.MaxUrl} characters.";
        }

        // What one parser would mend another mends differently: neither gets the chance.
        if (text.Any(c => c is <= ' ' or '\\' or > '~') || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0)
        {
            return "must be an address such as https://example.com/hook, in ASCII without spaces.";
        }

        // Also where they are empty, which the parsed address does not tell.
        var afterScheme = text.AsSpan(text.IndexOf(':', StringComparison.Ordinal) + 1).TrimStart('/');
        var authority = afterScheme[..(afterScheme.IndexOfAny("/?#") is >= 0 and var end ? end : afterScheme.Length)];
        return authority.Contains('@') ? "must hold no user name and no password. Use a header."
            : text.Contains('#', StringComparison.Ordinal) ? "must have no fragment."
            : destinations.Refuse(url);
    }
}
