namespace Outbox.Relaying;

/// <summary>Something that is away for a while: it is reported when it begins and when it ends, however often it is asked for meanwhile.</summary>
internal sealed class Outage(TimeProvider time)
{
    private long? _since;

    public bool IsGoingOn => _since is not null;

    /// <returns>Whether it begins now.</returns>
    public bool Begin()
    {
        if (_since is not null)
            return false;
        _since = time.GetTimestamp();
        return true;
    }

    /// <returns>How long it was, when it ends now.</returns>
    public TimeSpan? Ended()
    {
        var duration = _since is { } since ? time.GetElapsedTime(since) : (TimeSpan?)null;
        _since = null;
        return duration;
    }
}
