namespace Outbox.Relaying;

/// <summary>
/// The messages that were on their way when a channel or a connection broke. One of them may be the cause, so they go
/// again before any other, and one at a time.
/// </summary>
internal sealed class Suspects
{
    private readonly HashSet<long> _numbers = [];
    private int _here;

    /// <summary>Whether suspects are in the window, so that everybody else waits.</summary>
    public bool AreHere => _here > 0;

    /// <summary>How many messages may be on their way at a time.</summary>
    public int Limit(int limit) => AreHere ? 1 : limit;

    public bool Contains(long sequenceNumber) => _numbers.Contains(sequenceNumber);

    /// <summary>A suspect of before was read again.</summary>
    public void Arrive() => _here++;

    /// <summary>A suspect was dropped from the window; it stays one for when it is read again.</summary>
    public void Depart() => _here--;

    /// <returns>Whether it was not one yet.</returns>
    public bool Accuse(long sequenceNumber)
    {
        if (!_numbers.Add(sequenceNumber))
            return false;
        _here++;
        return true;
    }

    public void Acquit(long sequenceNumber)
    {
        if (_numbers.Remove(sequenceNumber))
            _here--;
    }

    /// <summary>It broke the channel alone: out of the window for now, and a suspect whenever it is read again.</summary>
    public void Condemn(long sequenceNumber)
    {
        if (!_numbers.Add(sequenceNumber))
            _here--;
    }

    /// <summary>Forgets those that are not in the window.</summary>
    public void ForgetAbsent()
    {
        if (!AreHere)
            _numbers.Clear();
    }
}
