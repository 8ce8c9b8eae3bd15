namespace Services.Tests;

/// <summary>A clock that tells one time for ever; timers go as usual.</summary>
internal sealed class StoppedClock(DateTimeOffset now) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => now;
}
