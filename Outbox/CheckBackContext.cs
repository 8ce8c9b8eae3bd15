namespace Outbox;

/// <summary>The half message that a check-back is about. Scoped: ask for it in the constructor of an <see cref="ICheckBack{TMessage}"/>.</summary>
public sealed class CheckBackContext
{
    /// <summary>The message id, the same as <see cref="IHalfMessage.MessageId"/> in the replica that prepared it.</summary>
    public Guid MessageId { get; private set; }

    /// <summary>When it was prepared (UTC).</summary>
    public DateTime PreparedAt { get; private set; }

    /// <summary>How many check-backs have answered <see cref="CheckBackAnswer.Unknown"/> before this one.</summary>
    public int UnknownAnswers { get; private set; }

    /// <summary>Until when the absence of any trace of the local work may be taken for its roll-back (UTC).</summary>
    internal DateTime AbsenceCountsUntil { get; private set; } = DateTime.MaxValue;

    /// <summary>Takes everything from the message's row.</summary>
    internal void ReadFrom(OutboxMessage row, TimeSpan decisionRetention)
    {
        (MessageId, PreparedAt, UnknownAnswers) = (row.MessageId, row.CreatedAt, row.Attempts);
        AbsenceCountsUntil = row.CreatedAt + decisionRetention;
    }
}
