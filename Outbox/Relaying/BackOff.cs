namespace Outbox.Relaying;

/// <summary>The pause before a message is tried again.</summary>
internal static class BackOff
{
    /// <summary>Starts at <paramref name="shortest"/> and doubles with every failure up to <paramref name="longest"/>.</summary>
    /// <param name="failures">How many sends failed so far, at least 1.</param>
    /// <param name="shortest">The pause after the first one.</param>
    /// <param name="longest">The longest pause.</param>
    public static TimeSpan After(int failures, TimeSpan shortest, TimeSpan longest)
    {
        var ticks = shortest.Ticks * Math.Pow(2, Math.Max(0, failures - 1));
        return ticks < longest.Ticks ? TimeSpan.FromTicks((long)ticks) : longest;
    }
}
