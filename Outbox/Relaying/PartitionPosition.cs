namespace Outbox.Relaying;

/// <summary>
/// Up to where the ready rows of a partition were read. A number is taken long before its row is committed, so each
/// read starts where the position stood a while ago: a row that commits late is still found, and the deleted rows
/// before it are not walked over again and again.
/// </summary>
/// <remarks>
/// A while of reading: a step is left behind only when a read that was issued so much later has looked from before it. Time in
/// which nobody read, because the process was paused or had nothing it might send, counts for nothing.
/// </remarks>
/// <param name="lookBack">How far a read goes back, on the owner's clock.</param>
internal sealed class PartitionPosition(TimeSpan lookBack)
{
    private const int Steps = 16;

    private readonly Queue<(TimeSpan At, long Position)> _trail = [];
    private TimeSpan? _recorded;
    private TimeSpan? _looked;
    private bool _looksBack;
    private long _settled;
    private long? _floor;

    /// <summary>The highest number read.</summary>
    public long Highest { get; private set; }

    /// <summary>Whether the last read stopped at its limit, so that there is more.</summary>
    public bool HasMore { get; private set; }

    /// <summary>The number after which the next read starts.</summary>
    /// <param name="onward">
    /// Goes on at the highest number while there is more: in the middle of a backlog late rows can wait for the next read
    /// that looks back.
    /// </param>
    public long Start(bool onward = false)
    {
        while (_trail.TryPeek(out var step) && _looked - step.At >= lookBack)
            _settled = _trail.Dequeue().Position;
        var start = Math.Min(onward && HasMore ? Highest : _settled, _floor ?? long.MaxValue);
        _looksBack = start <= _settled;
        return start;
    }

    /// <summary>Remembers a read.</summary>
    /// <param name="highest">The highest number that it returned, or its start when it returned nothing.</param>
    /// <param name="hasMore">Whether it stopped at its limit; otherwise nothing was left.</param>
    /// <param name="now">When it was issued, on the owner's monotonic clock.</param>
    public void Read(long highest, bool hasMore, TimeSpan now)
    {
        // After going back, a read that stopped at its limit says nothing about the rows behind its last one.
        if (_floor is not null)
            _floor = hasMore && highest < Math.Max(Highest, _settled) ? highest : null;

        var complete = !hasMore || highest >= Highest;
        Highest = Math.Max(Highest, highest);
        HasMore = hasMore;
        if (complete && _looksBack)
            _looked = now;
        if (!complete || (_recorded is { } last && now - last < lookBack / Steps))
            return;
        _recorded = now;
        _trail.Enqueue((now, Highest));
    }

    /// <summary>The next read goes back to this row, and on from there.</summary>
    public void GoBack(long sequenceNumber) => _floor = Math.Min(_floor ?? long.MaxValue, sequenceNumber - 1);

    /// <summary>The next read starts from the beginning.</summary>
    public void LookAtAll() => GoBack(0);
}
