using System.Buffers;

namespace Notifications.Sending;

/// <summary>Vets the headers that a receiver wants to be sent along.</summary>
public static class WebhookHeaders
{
    private static readonly SearchValues<char> Token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    // What the exchange itself is made of, and what says who is calling.
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "accept-encoding", "connection", "content-length", "content-type", "content-encoding", "date", "expect", "forwarded", "host", "http2-settings", "keep-alive",
        "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "traceparent", "tracestate", "baggage", "request-id", "cookie",
    };

    private static readonly string[] ReservedPrefixes = ["webhook-", "proxy-", "x-forwarded-", "sec-"];

    /// <summary>Why a header cannot be sent along; null when it can.</summary>
    public static string? Refuse(string name, string value)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(Token))
        {
            return $"'{name}' is not a header's name.";
        }

        if (Reserved.Contains(name) || Array.Exists(ReservedPrefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
        {
            return $"The header '{name}' is set by the sender.";
        }

        return value.AsSpan().ContainsAnyExceptInRange(' ', '~') ? $"The value of '{name}' must be visible ASCII characters and spaces." : null;
    }
}
