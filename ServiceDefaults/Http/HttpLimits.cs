namespace ServiceDefaults;

/// <summary>Limits that hold for every request.</summary>
public static class HttpLimits
{
    /// <summary>The largest request body, 64 KB. A larger one is answered 413 before it is read.</summary>
    public const int MaxRequestBody = 64 * 1024;

    /// <summary>Items a page holds when the request names no limit.</summary>
    public const int DefaultPage = 20;

    /// <summary>The most items a page may hold.</summary>
    public const int MaxPage = 100;
}
