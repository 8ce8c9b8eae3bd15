using System.Net.Http.Headers;

namespace Notifications.Sending;

/// <summary>Reads <c>Retry-After</c>, which is a number of seconds or a date.</summary>
public static class RetryAfter
{
    /// <summary>How long from now; null when the header is missing, or lies in the past.</summary>
    public static TimeSpan? Read(RetryConditionHeaderValue? header, DateTimeOffset now) =>
        (header?.Delta ?? header?.Date - now) is { } wait && wait > TimeSpan.Zero ? wait : null;
}
