using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>Brings ready rows into the window: what is due enters, then every partition is read from its position.</summary>
internal sealed class Reading(MessageWindow window, MessageTable table, OutboxOptions options, TimeProvider time)
{
    // What a look takes is taken from the sending of a backlog; with nothing to send, what it may find comes first.
    private const int RarityInBacklog = 20;
    private const int RarityAtRest = 3;

    private readonly Dictionary<int, PartitionPosition> _positions = [];

    // Finds a row that committed later than the look back. Not as rarely as it took long, where that was a pause of the whole process: a row
    // waits for the next one.
    private readonly DearLook _fullLook = new(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30));

    // While a backlog is read, walking over what was just sent is left to a few reads a second; and to fewer where an old transaction keeps
    // the database from forgetting the deleted rows.
    private readonly DearLook _lookBack = new(TimeSpan.FromMilliseconds(250), options.LookBack);
    private IReadOnlyList<int> _followed = [];
    private int _rotation;

    /// <summary>When the next row enters, as of the last read.</summary>
    public DateTime? NextDue { get; private set; }

    /// <summary>How many replicas there are, as of the last read; 0 when it had nothing to read.</summary>
    public int Replicas { get; private set; }

    /// <summary>Whether the last read left ready rows behind.</summary>
    public bool HasMore => _positions.Values.Any(p => p.HasMore);

    /// <summary>Reads these partitions from now on, new ones from their beginning.</summary>
    /// <returns>Whether there are new ones.</returns>
    public bool Follow(IReadOnlyList<int> partitions)
    {
        if (ReferenceEquals(partitions, _followed))
            return false;

        _followed = partitions;
        foreach (var gone in _positions.Keys.Except(partitions).ToList())
            _positions.Remove(gone);
        var added = false;
        foreach (var partition in partitions)
            added |= _positions.TryAdd(partition, new PartitionPosition(options.LookBack));
        return added;
    }

    /// <summary>Forgets how far the reading was: while the connection was gone, nobody looked.</summary>
    public void StartOver()
    {
        foreach (var partition in _followed)
            _positions[partition] = new PartitionPosition(options.LookBack);
    }

    /// <summary>One read.</summary>
    /// <returns>How many rows entered because they were due, and how many were read.</returns>
    public async Task<(int Promoted, int Read)> Read(CancellationToken cancellationToken)
    {
        Replicas = 0;
        if (_positions.Count == 0)
        {
            NextDue = null;
            return (0, 0);
        }

        var promoted = NextDue <= time.GetUtcNow().UtcDateTime ? await Promote(cancellationToken).ConfigureAwait(false) : 0;
        foreach (var message in window.TakeReopened())
            GoBack(message.Partition, message.SequenceNumber);

        var now = time.GetElapsedTime(0);
        var looksAtAll = _fullLook.IsDue(now, HasMore ? RarityInBacklog : RarityAtRest);
        if (looksAtAll)
        {
            foreach (var position in _positions.Values)
                position.LookAtAll();
        }

        var rows = await ReadFrom(now, cancellationToken).ConfigureAwait(false);
        if (looksAtAll)
        {
            _fullLook.Took(now, time.GetElapsedTime(0));
            await PassHeldRows(now, cancellationToken).ConfigureAwait(false);
        }

        return (promoted, rows);
    }

    private async Task<int> Promote(CancellationToken cancellationToken)
    {
        var promoted = await table.Promote(_positions.Keys, time.GetUtcNow().UtcDateTime, cancellationToken).ConfigureAwait(false);
        foreach (var (partition, sequenceNumber) in promoted)
            GoBack(partition, sequenceNumber);
        return promoted.Count;
    }

    private async Task<int> ReadFrom(TimeSpan now, CancellationToken cancellationToken)
    {
        var onward = !_lookBack.IsDue(now, RarityInBacklog);
        var reads = Shares.Of(options.QueryMessageLimit, [.. _positions.Select(p => (p.Key, p.Value.HasMore))], _rotation++)
            .Select(s => new PartitionRead(s.Partition, _positions[s.Partition].Start(onward), s.Take)).ToList();
        var first = reads.Min(r => r.After);
        var rows = await table.Read(reads, window.Known(after: first), window.FullKeys(), cancellationToken).ConfigureAwait(false);
        (NextDue, Replicas) = (rows.NextDue, rows.Replicas);
        if (!onward)
            _lookBack.Took(now, time.GetElapsedTime(0));

        var byPartition = rows.Messages.ToLookup(m => m.Partition, m => m.SequenceNumber);
        foreach (var read in reads)
        {
            var count = byPartition[read.Partition].Count();
            var last = count > 0 ? byPartition[read.Partition].Last() : read.After;
            _positions[read.Partition].Read(last, rows.IsCut || count >= read.Take, now);
        }

        window.Add(rows.Messages);
        return rows.Messages.Count;
    }

    /// <summary>
    /// The rows of held keys are not returned, so a position would stay before them, and every read would walk over
    /// them: the positions pass them. When a key is released, reading goes back.
    /// </summary>
    private async Task PassHeldRows(TimeSpan now, CancellationToken cancellationToken)
    {
        foreach (var (partition, top) in await table.Tops(_positions.Where(p => !p.Value.HasMore).Select(p => p.Key), cancellationToken).ConfigureAwait(false))
            _positions[partition].Read(top, hasMore: false, now);
    }

    private void GoBack(int partition, long sequenceNumber)
    {
        if (_positions.TryGetValue(partition, out var position))
            position.GoBack(sequenceNumber);
    }
}

/// <summary>When to look again at what is dear to look at: after a while, and more rarely where it takes long.</summary>
/// <param name="shortest">The least pause.</param>
/// <param name="longest">The most.</param>
internal sealed class DearLook(TimeSpan shortest, TimeSpan longest)
{
    private (TimeSpan From, TimeSpan To)? _last;

    /// <summary>Whether it is time again.</summary>
    /// <param name="now">Now.</param>
    /// <param name="rarity">How many times as long as the last one took is to lie between two.</param>
    public bool IsDue(TimeSpan now, int rarity)
    {
        if (_last is not { } last)
            return true;
        var pause = (last.To - last.From) * rarity;
        return now >= last.To + (pause < shortest ? shortest : pause > longest ? longest : pause);
    }

    /// <summary>One was taken.</summary>
    /// <param name="from">When it began.</param>
    /// <param name="to">When it ended.</param>
    public void Took(TimeSpan from, TimeSpan to) => _last = (from, to);
}
