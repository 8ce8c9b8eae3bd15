using Microsoft.EntityFrameworkCore;

namespace Outbox;

/// <summary>The half messages of an outbox that are not decided, and what an operator can do with them.</summary>
/// <typeparam name="TDbContext">The DbContext that the outbox was registered for.</typeparam>
public interface IHalfMessages<TDbContext>
    where TDbContext : DbContext
{
    /// <summary>The half messages that are not decided, in the order of their sequence numbers.</summary>
    /// <param name="undecidedOnly">Whether to leave out those that will be checked back by themselves. Default: yes.</param>
    /// <param name="after">Leaves out the numbers up to this one: pass the last one seen to go on.</param>
    /// <param name="limit">The most to return, from 1 to 1,000. Default 50.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="limit"/> is out of its range.</exception>
    Task<IReadOnlyList<HalfMessageSummary>> List(bool undecidedOnly = true, long after = 0, int limit = 50, CancellationToken cancellationToken = default);

    /// <summary>One half message with its history, decided or not, for as long as it is remembered.</summary>
    /// <param name="sequenceNumber">Which one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns><see langword="null"/> when there is none of this number, or it is no half message.</returns>
    Task<HalfMessageDetails?> Show(long sequenceNumber, CancellationToken cancellationToken = default);

    /// <summary>
    /// Commits a half message. The type's check-back is told (<see cref="ICheckBack{TMessage}.OperatorDecided"/>), and what it
    /// changes is saved with the decision. The same decision again changes nothing.
    /// </summary>
    /// <param name="sequenceNumber">Which one.</param>
    /// <param name="by">Who decides: the name goes into the history.</param>
    /// <param name="tellCheckBack">
    /// Whether the check-back is told. Without it (where no replica has the type's check-back any more, or the body cannot be read)
    /// the decision changes no business row: that is left to you.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HalfMessageDecidedException">It was rolled back.</exception>
    /// <exception cref="InvalidOperationException">This process has no check-back for the type, or the check-back refuses; nothing is decided.</exception>
    /// <exception cref="KeyNotFoundException">There is no half message of this number.</exception>
    Task Commit(long sequenceNumber, string by, bool tellCheckBack = true, CancellationToken cancellationToken = default);

    /// <summary>Rolls a half message back, likewise.</summary>
    /// <param name="sequenceNumber">Which one.</param>
    /// <param name="by">Who decides: the name goes into the history.</param>
    /// <param name="tellCheckBack">Whether the check-back is told, as with <see cref="Commit"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HalfMessageDecidedException">It was committed.</exception>
    /// <exception cref="InvalidOperationException">This process has no check-back for the type, or the check-back refuses; nothing is decided.</exception>
    /// <exception cref="KeyNotFoundException">There is no half message of this number.</exception>
    Task Rollback(long sequenceNumber, string by, bool tellCheckBack = true, CancellationToken cancellationToken = default);

    /// <summary>Has a half message that is not decided checked back now, with all its check-backs before it.</summary>
    /// <param name="sequenceNumber">Which one.</param>
    /// <param name="by">Who wants it: the name goes into the history.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether it was not decided, and will be checked.</returns>
    Task<bool> Recheck(long sequenceNumber, string by, CancellationToken cancellationToken = default);
}

/// <summary>A half message that is not decided.</summary>
/// <param name="SequenceNumber">Names the message to <see cref="IHalfMessages{TDbContext}"/>.</param>
/// <param name="MessageId">The message id.</param>
/// <param name="MessageType">The message's URNs, separated by semicolons.</param>
/// <param name="State">Where it stands.</param>
/// <param name="PreparedAt">When it was prepared (UTC).</param>
/// <param name="NextCheckAt">When it is checked back next (UTC); <see langword="null"/> when it is decided, or an operator has to.</param>
/// <param name="UnknownAnswers">How many check-backs answered <see cref="CheckBackAnswer.Unknown"/>.</param>
/// <param name="LastError">What the last check-back ran into, when it got no answer.</param>
public sealed record HalfMessageSummary(
    long SequenceNumber, Guid MessageId, string MessageType, OutboxMessageState State, DateTime PreparedAt, DateTime? NextCheckAt,
    int UnknownAnswers, string? LastError)
{
    /// <summary>Whether no check-back will decide it any more.</summary>
    public bool IsUndecided => State == OutboxMessageState.Prepared && NextCheckAt is null;
}

/// <summary>A half message and what happened to it.</summary>
/// <param name="Summary">Where it stands.</param>
/// <param name="History">What happened to it, the oldest first; the last twenty events.</param>
public sealed record HalfMessageDetails(HalfMessageSummary Summary, IReadOnlyList<HalfMessageEvent> History);
