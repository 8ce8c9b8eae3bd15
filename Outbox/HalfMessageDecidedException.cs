namespace Outbox;

/// <summary>
/// A half message was to be decided, and the opposite had been decided before: by its producer, a check-back or an
/// operator. What was to be saved with the decision is not saved.
/// </summary>
/// <remarks>
/// The decision stays wanted for the DbContext's next save, so that no repetition saves without it. After making good what
/// was done (a refund), ask for what was decided (<see cref="IHalfMessage.Rollback"/> after a lost commit) and save; or
/// dispose of the half message first. A transaction begun by the DbContext, or a <c>TransactionScope</c>, cannot be committed after it;
/// who gave the DbContext a <c>DbTransaction</c> of its own (<c>UseTransaction</c>) must roll that back.
/// </remarks>
public sealed class HalfMessageDecidedException : Exception
{
    internal HalfMessageDecidedException(Guid messageId, OutboxMessageState? found, string wanted)
        : base($"Half message {messageId} was to be {wanted}; found {Describe(found)}. The first decision stands, and what was to be saved with this one is not saved.")
        => (MessageId, Found) = (messageId, found);

    /// <summary>The same again, for who goes on as if nothing had happened.</summary>
    internal HalfMessageDecidedException(HalfMessageDecidedException before)
        : base(before.Message, before)
        => (MessageId, Found) = (before.MessageId, before.Found);

    /// <summary>The message.</summary>
    public Guid MessageId { get; }

    /// <summary>
    /// What was found: <see cref="OutboxMessageState.RolledBack"/>; any other state when it was committed; <see langword="null"/>
    /// when the row is gone, so that the decision is older than <see cref="OutboxOptions.DecisionRetention"/>.
    /// </summary>
    public OutboxMessageState? Found { get; }

    private static string Describe(OutboxMessageState? found) => found switch
    {
        null => "no row: it was decided so long ago that the decision is forgotten",
        OutboxMessageState.RolledBack => "it rolled back",
        var state => $"it committed ({state})",
    };
}
