namespace Notifications;

/// <summary>How long to wait before each attempt: before the first, after the first, after the second, ...</summary>
public static class RetrySchedule
{
    /// <summary>The one that an endpoint has unless it chooses another.</summary>
    public const string Standard = "standard";

    /// <summary>How much later than its schedule says an attempt may begin: so that what failed together does not come back together.</summary>
    public const double Jitter = 0.2;

    /// <summary>How much longer than its schedule says a receiver may ask to be left alone.</summary>
    public static readonly TimeSpan MostAsked = TimeSpan.FromHours(2);

    /// <summary>The schedules to choose from, by name.</summary>
    public static IReadOnlyDictionary<string, TimeSpan[]> Presets { get; } = new Dictionary<string, TimeSpan[]>(StringComparer.Ordinal)
    {
        [Standard] = Seconds(0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
        ["alipay"] = Seconds(0, 240, 600, 600, 3600, 7200, 21_600, 54_000),
        ["wechat"] = Seconds(0, 15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600),
        ["svix"] = Seconds(0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000),
        ["demo"] = Seconds(0, 1, 1, 2, 2, 3, 3, 5),
    };

    /// <summary>How long to wait after an attempt that failed; null when it was the last.</summary>
    /// <param name="name">The schedule.</param>
    /// <param name="step">Where the attempt stood in it, from 0.</param>
    /// <param name="asked">What the receiver said in <c>Retry-After</c>.</param>
    /// <param name="chance">A number from 0 to 1, by chance.</param>
    public static TimeSpan? After(string name, int step, TimeSpan? asked, double chance)
    {
        var schedule = Presets.GetValueOrDefault(name) ?? Presets[Standard];
        if (step + 1 >= schedule.Length)
        {
            return null;
        }

        var pause = schedule[step + 1];
        var wait = pause * (1 + (Jitter * chance));
        var honoured = asked < pause + MostAsked ? asked.Value : asked is null ? TimeSpan.Zero : pause + MostAsked;
        return honoured > wait ? honoured : wait;
    }

    // Longer than an endpoint that seems down is left alone: one that is up again is found out before anything counts as failed.
    private static readonly TimeSpan LeastPatience = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How long an attempt may wait, from the outcome of the one before, until it counts as failed without a call: until the
    /// one after it would have been due, and a minute at least.
    /// </summary>
    /// <param name="name">The schedule.</param>
    /// <param name="step">Where the attempt stands in it, from 0.</param>
    public static TimeSpan Patience(string name, int step)
    {
        var schedule = Presets.GetValueOrDefault(name) ?? Presets[Standard];
        var own = schedule[Math.Min(step, schedule.Length - 1)];
        var patience = own + (step + 1 < schedule.Length ? schedule[step + 1] : own);
        return patience > LeastPatience ? patience : LeastPatience;
    }

    private static TimeSpan[] Seconds(params int[] seconds) => [.. seconds.Select(s => TimeSpan.FromSeconds(s))];
}
