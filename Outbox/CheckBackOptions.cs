namespace Outbox;

/// <summary>How the half messages of one type are checked back. What is not set is as the <see cref="OutboxOptions"/> say.</summary>
public sealed class CheckBackOptions
{
    internal CheckBackOptions(OutboxOptions defaults)
    {
        (CheckBackDelay, CheckBackInterval, MaxCheckBackInterval) = (defaults.CheckBackDelay, defaults.CheckBackInterval, defaults.MaxCheckBackInterval);
        (CheckBackLimit, CheckTimeout, ConcurrentChecks) = (defaults.CheckBackLimit, defaults.CheckTimeout, defaults.ConcurrentChecks);
    }

    /// <inheritdoc cref="OutboxOptions.CheckBackDelay"/>
    public TimeSpan CheckBackDelay { get; set; }

    /// <inheritdoc cref="OutboxOptions.CheckBackInterval"/>
    public TimeSpan CheckBackInterval { get; set; }

    /// <inheritdoc cref="OutboxOptions.MaxCheckBackInterval"/>
    public TimeSpan MaxCheckBackInterval { get; set; }

    /// <inheritdoc cref="OutboxOptions.CheckBackLimit"/>
    public int CheckBackLimit { get; set; }

    /// <inheritdoc cref="OutboxOptions.CheckTimeout"/>
    public TimeSpan CheckTimeout { get; set; }

    /// <inheritdoc cref="OutboxOptions.ConcurrentChecks"/>
    public int ConcurrentChecks { get; set; }

    /// <summary>What is wrong with the values, one sentence each.</summary>
    internal IEnumerable<string> Problems()
    {
        (string Name, TimeSpan Value)[] positive =
        [
            (nameof(CheckBackDelay), CheckBackDelay), (nameof(CheckBackInterval), CheckBackInterval),
            (nameof(MaxCheckBackInterval), MaxCheckBackInterval), (nameof(CheckTimeout), CheckTimeout),
        ];
        foreach (var (name, value) in positive.Where(p => p.Value <= TimeSpan.Zero))
            yield return $"{name} must be positive; found {value}.";
        if (MaxCheckBackInterval < CheckBackInterval)
            yield return $"{nameof(MaxCheckBackInterval)} must not be shorter than {nameof(CheckBackInterval)}; found {MaxCheckBackInterval} and {CheckBackInterval}.";
        if (CheckBackLimit < 1)
            yield return $"{nameof(CheckBackLimit)} must be at least 1; found {CheckBackLimit}.";
        if (ConcurrentChecks is < 1 or > 1000)
            yield return $"{nameof(ConcurrentChecks)} must be from 1 to 1000; found {ConcurrentChecks}.";
    }
}
