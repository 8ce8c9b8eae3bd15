namespace Notifications;

/// <summary>How long to wait before each attempt: before the first, after the first, after the second, ...</summary>
public static class RetrySchedule
{
    /// <summary>The one that an endpoint has unless it chooses another.</summary>
    public const string Standard = "standard";

    /// <summary>The schedules to choose from, by name.</summary>
    public static IReadOnlyDictionary<string, TimeSpan[]> Presets { get; } = new Dictionary<string, TimeSpan[]>(StringComparer.Ordinal)
    {
        [Standard] = Seconds(0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
        ["alipay"] = Seconds(0, 240, 600, 600, 3600, 7200, 21_600, 54_000),
        ["wechat"] = Seconds(0, 15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600),
        ["svix"] = Seconds(0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000),
        ["demo"] = Seconds(0, 1, 1, 2, 2, 3, 3, 5),
    };

    private static TimeSpan[] Seconds(params int[] seconds) => [.. seconds.Select(s => TimeSpan.FromSeconds(s))];
}
