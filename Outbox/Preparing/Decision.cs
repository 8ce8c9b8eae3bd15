namespace Outbox.Preparing;

/// <summary>What somebody wants to become of a half message.</summary>
/// <param name="SequenceNumber">The row.</param>
/// <param name="MessageId">The message.</param>
/// <param name="IsCommit">Whether it is to be sent; otherwise it never is.</param>
/// <param name="By">Which replica, or the operator's name.</param>
/// <param name="How">How it came to the decision, where that is not by its producer.</param>
internal sealed record Decision(long SequenceNumber, Guid MessageId, bool IsCommit, string By, string? How = null)
{
    /// <summary>What is written into the history.</summary>
    public HalfMessageEvent Event(DateTime now) => new(now, By, IsCommit ? HalfMessageEventKind.Committed : HalfMessageEventKind.RolledBack, How);

    /// <summary>The row was not prepared any more: passes when this very decision was made before.</summary>
    /// <param name="found">What the row says; <see langword="null"/> when it is gone.</param>
    /// <exception cref="HalfMessageDecidedException">The opposite was decided, or nothing is known any more.</exception>
    public void MustAgreeWith(OutboxMessageState? found)
    {
        var wasCommit = found is not (null or OutboxMessageState.RolledBack or OutboxMessageState.Prepared);
        var wasRollback = found is OutboxMessageState.RolledBack;
        if (IsCommit ? !wasCommit : !wasRollback)
            throw new HalfMessageDecidedException(MessageId, found, IsCommit ? "committed" : "rolled back");
    }
}
