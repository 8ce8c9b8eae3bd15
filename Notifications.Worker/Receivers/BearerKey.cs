namespace Notifications;

internal static class BearerKey
{
    private const string Bearer = "Bearer ";

    /// <summary>The key in <c>Authorization: Bearer &lt;key&gt;</c>; null when there is none.</summary>
    public static string? Of(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..].Trim() : null;
    }
}
