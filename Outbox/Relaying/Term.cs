namespace Outbox.Relaying;

/// <summary>The time during which this replica counts as alive under one id; when it was evicted or has left, another begins.</summary>
internal sealed class Term
{
    // An owner stops well before another replica may conclude that it is dead, to leave room for what is in flight.
    private const double SafePart = 0.7;

    private readonly TimeProvider _time;
    private readonly TimeSpan? _safeFor;
    private volatile Beat _beat;
    private volatile bool _over;

    /// <param name="id">The replica's id.</param>
    /// <param name="leaseTime">How long a replica may be silent; <see langword="null"/> when nobody else can take over.</param>
    /// <param name="issued">The moment before the replica's row was written.</param>
    /// <param name="time">The clocks.</param>
    public Term(Guid id, TimeSpan? leaseTime, Beat issued, TimeProvider time)
        => (Id, _safeFor, _beat, _time) = (id, leaseTime * SafePart, issued, time);

    public Guid Id { get; }

    /// <summary>Whether the replica was evicted or has left.</summary>
    public bool IsOver => _over;

    /// <summary>
    /// Whether a send may begin: measured from before the last successful beat was issued, by the larger of two clocks,
    /// since the monotonic one stands still in a suspended machine and the other can be set back.
    /// </summary>
    public bool MayStartSending => !_over && (_safeFor is not { } limit || _beat.Age(_time) < limit);

    public void Beaten(Beat issued) => _beat = issued;

    public void End() => _over = true;
}

/// <summary>The moment at which a beat was issued, on both clocks.</summary>
internal sealed class Beat(TimeProvider time)
{
    private readonly long _timestamp = time.GetTimestamp();
    private readonly DateTimeOffset _utc = time.GetUtcNow();

    public TimeSpan Age(TimeProvider clock)
    {
        var (monotonic, utc) = (clock.GetElapsedTime(_timestamp), clock.GetUtcNow() - _utc);
        return monotonic > utc ? monotonic : utc;
    }
}
