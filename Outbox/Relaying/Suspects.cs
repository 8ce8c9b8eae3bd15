namespace Outbox.Relaying;

/// <summary>
/// The messages that were on their way when a channel or a connection broke. One of them may be the cause, so they go
/// again before any other: one at a time, or carefully more and more when the whole broker was away.
/// </summary>
internal sealed class Suspects
{
    private readonly HashSet<long> _numbers = [];
    private int _here;
    private int _allowed = 1;
    private bool _oneAtATime = true;

    /// <summary>Whether suspects are in the window, so that everybody else waits.</summary>
    public bool AreHere => _here > 0;

    /// <summary>How many messages may be on their way at a time.</summary>
    public int Limit(int limit) => AreHere ? Math.Min(_allowed, limit) : limit;

    public bool Contains(long sequenceNumber) => _numbers.Contains(sequenceNumber);

    /// <summary>A suspect of before was read again.</summary>
    public void Arrive() => _here++;

    /// <summary>A suspect was dropped from the window; it stays one for when it is read again.</summary>
    public void Depart() => _here--;

    /// <returns>Whether it was not one yet.</returns>
    public bool Accuse(long sequenceNumber)
    {
        // A group that breaks as well holds the cause; from now on it is looked for.
        if (_numbers.Contains(sequenceNumber))
            _oneAtATime = true;
        _allowed = 1;
        if (!_numbers.Add(sequenceNumber))
            return false;
        _here++;
        return true;
    }

    public void Acquit(long sequenceNumber)
    {
        if (!_numbers.Remove(sequenceNumber))
            return;
        _here--;
        _allowed = _oneAtATime ? 1 : _allowed + 1;
    }

    /// <summary>It broke the channel alone: out of the window for now, and a suspect whenever it is read again.</summary>
    public void Condemn(long sequenceNumber)
    {
        if (!_numbers.Add(sequenceNumber))
            _here--;
    }

    /// <summary>Sets the pace for those that are suspects now.</summary>
    public void Pace(bool oneAtATime) => (_oneAtATime, _allowed) = (oneAtATime, 1);
}
