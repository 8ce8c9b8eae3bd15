namespace Notifications;

/// <summary>How long a secret or a key is good beside the one that replaced it.</summary>
internal static class Grace
{
    /// <summary>The most seconds: a week.</summary>
    public const int Max = 7 * 24 * 60 * 60;

    private const int Day = 24 * 60 * 60;

    /// <summary>What was asked for; a day when nothing was.</summary>
    public static TimeSpan Of(int? seconds) => TimeSpan.FromSeconds(seconds ?? Day);
}
