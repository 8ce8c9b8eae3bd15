namespace Outbox.Relaying;

/// <summary>
/// The messages between their reading and the end of their row: waiting in the lane of their key, on their way, or
/// settled and not yet written down. In parallel over keys, one at a time within a key.
/// </summary>
/// <remarks>Thread-safe: the loop adds and settles, the broker's answers finish.</remarks>
internal sealed class MessageWindow(int limit)
{
    private readonly Lock _gate = new();
    private readonly HashSet<long> _known = [];
    private readonly Dictionary<long, Lane> _lanes = [];
    private readonly Queue<Lane> _sendable = [];
    private List<Settled> _settled = [];
    private bool _open = true;

    /// <summary>Messages read and not yet on their way.</summary>
    public int Waiting { get; private set; }

    /// <summary>Messages on their way to the broker.</summary>
    public int InFlight { get; private set; }

    /// <summary>Messages whose end is not written down yet.</summary>
    public int SettledCount => Locked(() => _settled.Count);

    /// <summary>Whether anything can be sent or is being sent.</summary>
    public bool IsIdle => Locked(() => InFlight == 0 && (_sendable.Count == 0 || !_open));

    /// <summary>The numbers of all messages in the window, for a read to leave out.</summary>
    public IReadOnlyCollection<long> Known => Locked(() => _known.ToArray());

    /// <summary>Takes in what was read.</summary>
    public void Add(IEnumerable<StoredMessage> messages)
    {
        lock (_gate)
        {
            foreach (var message in messages)
            {
                var lane = LaneOf(message.KeyHash);
                if (lane.IsHeld || !_known.Add(message.SequenceNumber))
                    continue;

                lane.Add(message);
                Waiting++;
                if (lane is { Count: 1, IsSending: false })
                    _sendable.Enqueue(lane);
            }
        }
    }

    /// <summary>The next message to send, if one may be sent now.</summary>
    public StoredMessage? Next()
    {
        lock (_gate)
        {
            while (_open && InFlight < limit && _sendable.TryDequeue(out var lane))
            {
                // Its messages may have been dropped meanwhile.
                if (lane.Count == 0 || lane.IsSending)
                    continue;
                lane.IsSending = true;
                Waiting--;
                InFlight++;
                return lane.Take();
            }

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
            var lane = LaneOf(message.KeyHash);
            lane.IsSending = false;
            if (outcome.Kind is OutcomeKind.Interrupted or OutcomeKind.NotStarted)
            {
                lane.Add(message);
                Waiting++;
            }
            else
            {
                _settled.Add(new Settled(message, outcome));
            }

            if (holds)
                Hold(lane);
            if (lane.Count > 0)
                _sendable.Enqueue(lane);
            else if (!lane.IsHeld)
                _lanes.Remove(lane.KeyHash);
        }
    }

    /// <summary>The messages that came to an end since the last call; they stay known until <see cref="Forget"/>.</summary>
    public IReadOnlyList<Settled> TakeSettled()
    {
        lock (_gate)
        {
            var settled = _settled;
            _settled = [];
            return settled;
        }
    }

    /// <summary>The end of these messages is written down: their keys are the database's to hold, and a read may return what it finds.</summary>
    public void Forget(IEnumerable<StoredMessage> messages)
    {
        lock (_gate)
        {
            foreach (var message in messages)
            {
                _known.Remove(message.SequenceNumber);
                if (_lanes.TryGetValue(message.KeyHash, out var lane) && lane is { IsHeld: true })
                    _lanes.Remove(message.KeyHash);
            }
        }
    }

    /// <summary>Forgets what waits; what is on its way or settled stays.</summary>
    public void DropWaiting(Predicate<StoredMessage> which)
    {
        lock (_gate)
        {
            foreach (var lane in _lanes.Values)
                Drop(lane, which);
        }
    }

    /// <summary>Lets messages start, or lets none start any more.</summary>
    public void Open(bool open)
    {
        lock (_gate)
            _open = open;
    }

    private void Hold(Lane lane)
    {
        lane.IsHeld = true;
        Drop(lane, _ => true);
    }

    private void Drop(Lane lane, Predicate<StoredMessage> which)
    {
        foreach (var message in lane.Drop(which))
        {
            _known.Remove(message.SequenceNumber);
            Waiting--;
        }
    }

    private Lane LaneOf(long keyHash)
    {
        if (!_lanes.TryGetValue(keyHash, out var lane))
            _lanes.Add(keyHash, lane = new Lane(keyHash));
        return lane;
    }

    private T Locked<T>(Func<T> read)
    {
        lock (_gate)
            return read();
    }
}

/// <summary>A message that came to an end.</summary>
internal readonly record struct Settled(StoredMessage Message, Outcome Outcome);
