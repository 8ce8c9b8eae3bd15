namespace Outbox.Relaying;

/// <summary>The messages of one key that were read and not yet sent, in their order; one of them is on its way at a time.</summary>
internal sealed class Lane(long keyHash)
{
    private readonly List<StoredMessage> _waiting = [];

    public long KeyHash { get; } = keyHash;

    /// <summary>A message of the key is on its way.</summary>
    public bool IsSending { get; set; }

    /// <summary>The message of the key that has failed, until that is written down: the others wait in the database.</summary>
    public long? HeldBy { get; set; }

    public bool IsHeld => HeldBy is not null;

    /// <summary>How many of the messages, waiting or on their way, are suspects.</summary>
    public int Suspects { get; set; }

    /// <summary>The lowest message that was left in the database because the lane is full.</summary>
    public StoredMessage? LeftBehind { get; private set; }

    public int Count => _waiting.Count;

    /// <summary>Puts the message where it belongs: one that committed late goes before those that were not sent yet.</summary>
    public void Add(StoredMessage message)
    {
        var at = _waiting.Count;
        while (at > 0 && _waiting[at - 1].SequenceNumber > message.SequenceNumber)
            at--;
        _waiting.Insert(at, message);
    }

    /// <summary>Leaves the message in the database for now.</summary>
    public void Leave(StoredMessage message)
    {
        if (LeftBehind is null || message.SequenceNumber < LeftBehind.SequenceNumber)
            LeftBehind = message;
    }

    /// <summary>The lane has room again.</summary>
    public void Reopen() => LeftBehind = null;

    public StoredMessage Take()
    {
        var next = _waiting[0];
        _waiting.RemoveAt(0);
        return next;
    }

    /// <summary>Forgets the messages that fit, and returns them.</summary>
    public IReadOnlyList<StoredMessage> Drop(Predicate<StoredMessage> which)
    {
        var dropped = _waiting.FindAll(which);
        _waiting.RemoveAll(which);
        return dropped;
    }
}
