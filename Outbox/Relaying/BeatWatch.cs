namespace Outbox.Relaying;

/// <summary>
/// Notices replicas that have fallen silent, by the watcher's own monotonic clock. Only time between reads that
/// succeeded counts: while the watcher could not look, nobody was silent.
/// </summary>
/// <param name="leaseTime">How long a replica may be silent.</param>
/// <param name="longestGap">The most that one gap between two reads counts: a watcher that was paused saw nothing of it.</param>
internal sealed class BeatWatch(TimeSpan leaseTime, TimeSpan longestGap)
{
    private Dictionary<Guid, (long Beat, TimeSpan Silence)> _seen = [];
    private TimeSpan? _lastRead;

    /// <summary>Takes note of a read.</summary>
    /// <param name="beats">All replicas and their beats.</param>
    /// <param name="now">When it was read, on the monotonic clock.</param>
    /// <returns>Those that were silent for too long, with the beat that must still stand when they are evicted.</returns>
    public IReadOnlyList<(Guid Id, long Beat)> Observe(IReadOnlyDictionary<Guid, long> beats, TimeSpan now)
    {
        var gap = _lastRead is { } last ? Min(now - last, longestGap) : TimeSpan.Zero;
        _lastRead = now;
        _seen = beats.ToDictionary(
            b => b.Key,
            b => _seen.TryGetValue(b.Key, out var before) && before.Beat == b.Value ? (b.Value, before.Silence + gap) : (b.Value, TimeSpan.Zero));
        return [.. _seen.Where(r => r.Value.Silence >= leaseTime).Select(r => (r.Key, r.Value.Beat))];
    }

    /// <summary>How long until a replica that is silent has been so for too long, if it stays so; <see langword="null"/> when none is.</summary>
    public TimeSpan? UntilNext => _seen.Values.Where(r => r.Silence > TimeSpan.Zero && r.Silence < leaseTime).Max(r => (TimeSpan?)r.Silence) is { } longest
        ? leaseTime - longest
        : null;

    /// <summary>A read failed: the time since the last one counts for nobody.</summary>
    public void Missed() => _lastRead = null;

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
