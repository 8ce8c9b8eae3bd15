namespace Outbox.Relaying;

/// <summary>
/// The messages between their reading and the end of their row: waiting in the lane of their key, on their way, or
/// settled and not yet written down. In parallel over keys, one at a time within a key.
/// </summary>
/// <remarks>Thread-safe: the loop adds and settles, the broker's answers finish.</remarks>
/// <param name="limit">The most messages that are on their way at a time.</param>
/// <param name="laneLimit">The most messages of one key that wait here; the others of the key wait in the database.</param>
internal sealed class MessageWindow(int limit, int laneLimit)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, StoredMessage> _known = [];
    private readonly HashSet<long> _full = [];
    private readonly Dictionary<long, Lane> _lanes = [];
    private readonly Queue<Lane> _sendable = [];
    private readonly Queue<Lane> _suspected = [];
    private readonly Suspects _suspects = new();
    private List<StoredMessage> _reopened = [];
    private List<Settled> _settled = [];

    /// <summary>Messages read and not yet on their way.</summary>
    public int Waiting { get; private set; }

    /// <summary>Messages on their way to the broker.</summary>
    public int InFlight { get; private set; }

    /// <summary>The bodies of all messages in the window, in bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Messages whose end is not taken yet.</summary>
    public int SettledCount { get; private set; }

    /// <summary>The numbers of the messages in the window, for a read to leave out.</summary>
    /// <param name="after">Where the read starts: it cannot meet those before.</param>
    public IReadOnlyCollection<long> Known(long after = 0)
    {
        lock (_gate)
            return [.. _known.Keys.Where(number => number > after)];
    }

    /// <summary>The partitions that have messages in the window.</summary>
    public IReadOnlySet<int> Partitions()
    {
        lock (_gate)
            return _known.Values.Select(m => m.Partition).ToHashSet();
    }

    /// <summary>The keys that have enough messages here, for a read to leave out.</summary>
    public IReadOnlyCollection<long> FullKeys()
    {
        lock (_gate)
            return [.. _full];
    }

    /// <summary>Takes in what was read.</summary>
    public void Add(IEnumerable<StoredMessage> messages)
    {
        lock (_gate)
        {
            foreach (var message in messages)
            {
                if (!_lanes.TryGetValue(message.KeyHash, out var lane))
                    _lanes.Add(message.KeyHash, lane = new Lane(message.KeyHash));
                if (lane.IsHeld || _known.ContainsKey(message.SequenceNumber))
                    continue;

                if (lane.Count >= laneLimit)
                {
                    lane.Leave(message);
                    _full.Add(lane.KeyHash);
                    continue;
                }

                _known.Add(message.SequenceNumber, message);
                Bytes += message.Size;
                Wait(lane, message);
                if (_suspects.Contains(message.SequenceNumber))
                {
                    _suspects.Arrive();
                    lane.Suspects++;
                }

                if (!lane.IsSending)
                    Offer(lane);
            }
        }
    }

    /// <summary>The next message to send, if one may be sent now.</summary>
    /// <param name="alone">Whether nothing else is on its way until it ends, so that a failure is its own.</param>
    public StoredMessage? Next(out bool alone)
    {
        lock (_gate)
        {
            var allowed = _suspects.Limit(limit);
            while (InFlight < allowed && (_suspects.AreHere ? _suspected : _sendable).TryDequeue(out var lane))
            {
                // Offered twice, or its messages were dropped meanwhile.
                if (lane.Count == 0 || lane.IsSending)
                    continue;
                lane.IsSending = true;
                Waiting--;
                InFlight++;
                alone = allowed == 1;
                return lane.Take();
            }

            alone = false;
            return null;
        }
    }

    /// <summary>Takes note of what became of a message.</summary>
    /// <param name="message">The message, no longer on its way.</param>
    /// <param name="outcome">What became of it.</param>
    /// <param name="holds">Whether the later messages of its key wait for it.</param>
    public void Finish(StoredMessage message, Outcome outcome, bool holds)
    {
        lock (_gate)
        {
            InFlight--;
            var lane = _lanes[message.KeyHash];
            lane.IsSending = false;
            if (outcome.Kind is OutcomeKind.Interrupted or OutcomeKind.NotStarted)
            {
                Wait(lane, message);
                if (outcome.Kind == OutcomeKind.Interrupted && _suspects.Accuse(message.SequenceNumber))
                    lane.Suspects++;
            }
            else
            {
                _settled.Add(new Settled(message, outcome));
                SettledCount++;
                var wasSuspect = _suspects.Contains(message.SequenceNumber);
                if (outcome.BreaksChannel)
                    _suspects.Condemn(message.SequenceNumber);
                else
                    _suspects.Acquit(message.SequenceNumber);
                if (wasSuspect)
                    lane.Suspects--;
            }

            if (holds)
            {
                lane.HeldBy = message.SequenceNumber;
                Drop(lane, static _ => true);
            }

            Offer(lane);
            Tidy(lane);
            if (!_suspects.AreHere)
                EndCaution();
        }
    }

    /// <summary>The messages that came to an end since the last call; they stay known until <see cref="Forget"/>.</summary>
    public IReadOnlyList<Settled> TakeSettled()
    {
        lock (_gate)
        {
            SettledCount = 0;
            return Interlocked.Exchange(ref _settled, new List<Settled>(_settled.Count));
        }
    }

    /// <summary>The messages that were left in the database and may be read now, the lowest of each key, since the last call.</summary>
    public IReadOnlyList<StoredMessage> TakeReopened()
    {
        lock (_gate)
            return Interlocked.Exchange(ref _reopened, []);
    }

    /// <summary>The end of these messages is written down: their keys are the database's to hold, and a read may return what it finds.</summary>
    public void Forget(IEnumerable<StoredMessage> messages)
    {
        lock (_gate)
        {
            foreach (var message in messages)
            {
                Unknow(message);
                if (_lanes.TryGetValue(message.KeyHash, out var lane) && lane.HeldBy == message.SequenceNumber)
                {
                    lane.HeldBy = null;
                    Tidy(lane);
                }
            }
        }
    }

    /// <summary>Forgets what waits of these partitions; what is on its way or settled stays.</summary>
    public void DropWaiting(Predicate<int> partitions)
    {
        lock (_gate)
        {
            foreach (var lane in _lanes.Values.ToList())
            {
                Drop(lane, m => partitions(m.Partition));
                Tidy(lane);
            }

            if (!_suspects.AreHere)
                EndCaution();
        }
    }

    /// <summary>Forgets everything that waits, and whom it suspected: other replicas may send it meanwhile.</summary>
    public void Clear()
    {
        DropWaiting(_ => true);
        lock (_gate)
            _suspects.ForgetAbsent();
    }

    private void Unknow(StoredMessage message)
    {
        if (_known.Remove(message.SequenceNumber))
            Bytes -= message.Size;
    }

    private void Wait(Lane lane, StoredMessage message)
    {
        lane.Add(message);
        Waiting++;
    }

    private void Offer(Lane lane)
    {
        if (lane.Count > 0)
            (lane.Suspects > 0 ? _suspected : _sendable).Enqueue(lane);
    }

    private void Drop(Lane lane, Predicate<StoredMessage> which)
    {
        foreach (var message in lane.Drop(which))
        {
            Unknow(message);
            Waiting--;
            if (_suspects.Contains(message.SequenceNumber))
            {
                _suspects.Depart();
                lane.Suspects--;
            }
        }
    }

    private void Tidy(Lane lane)
    {
        if (lane.LeftBehind is { } left && lane.Count <= laneLimit / 2)
        {
            _reopened.Add(left);
            _full.Remove(lane.KeyHash);
            lane.Reopen();
        }

        if (lane is { Count: 0, IsSending: false, IsHeld: false })
            _lanes.Remove(lane.KeyHash);
    }

    private void EndCaution()
    {
        while (_suspected.TryDequeue(out var lane))
            _sendable.Enqueue(lane);
    }
}

/// <summary>A message that came to an end.</summary>
internal readonly record struct Settled(StoredMessage Message, Outcome Outcome);
