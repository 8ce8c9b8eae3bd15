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

    /// <summary>Whether a row that is not prepared any more says that this very decision was made.</summary>
    /// <param name="found">What the row says; <see langword="null"/> when it is gone.</param>
    public bool AgreesWith(OutboxMessageState? found) => IsCommit
        ? found is not (null or OutboxMessageState.RolledBack or OutboxMessageState.Prepared)
        : found is OutboxMessageState.RolledBack;

    /// <summary>The row was not prepared any more: passes when its producer says what was decided before.</summary>
    /// <remarks>A check-back or an operator that comes second brings changes that the first one has saved already.</remarks>
    /// <exception cref="HalfMessageDecidedException">The opposite was decided, or nothing is known any more; or nobody but the producer decides the same.</exception>
    public void MustAgreeWith(OutboxMessageState? found)
    {
        if (!AgreesWith(found) || How is not null)
            throw new HalfMessageDecidedException(MessageId, found, IsCommit ? "committed" : "rolled back");
    }
}
