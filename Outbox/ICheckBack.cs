namespace Outbox;

/// <summary>
/// Answers for the half messages of a type whose producer did not say what became of its local work: died in between,
/// lost its database, gave up waiting.
/// </summary>
/// <remarks>
/// <para>
/// Made in a fresh scope for each check, in any replica of the service, some time after <c>Prepare</c> and again and
/// again until there is a decision. No transaction is open while it works. What it changes in the scope's DbContext
/// is saved with the decision, in one transaction; after <see cref="CheckBackAnswer.Unknown"/> it is forgotten. It must
/// not call <c>SaveChanges</c> itself: the decision may be somebody else's by then.
/// </para>
/// <para>
/// <see cref="CheckBackAnswer.RolledBack"/> because nothing was found needs a source that can be closed, so that the local
/// work cannot succeed later: a provider's <em>void if absent</em>, or <see cref="MarkerCheckBack{TOtherDbContext}"/>.
/// Without one the answer is <see cref="CheckBackAnswer.Unknown"/>. A check that throws or takes too long is no answer: it
/// is tried again, and does not count.
/// </para>
/// </remarks>
/// <typeparam name="TMessage">The message type, as it is prepared.</typeparam>
public interface ICheckBack<in TMessage>
    where TMessage : class
{
    /// <summary>Finds out what became of the local work.</summary>
    /// <param name="message">The message as it was prepared. Its id is in the scope's <see cref="CheckBackContext"/>.</param>
    /// <param name="cancellationToken">Fires when the check has taken too long, or the process stops.</param>
    Task<CheckBackAnswer> Check(TMessage message, CancellationToken cancellationToken);

    /// <summary>
    /// An operator decides (<see cref="IHalfMessages{TDbContext}"/>): here the business rows are made to agree. What is changed
    /// in the scope's DbContext is saved with the decision, in one transaction. By default nothing is done.
    /// </summary>
    /// <param name="message">The message as it was prepared.</param>
    /// <param name="decision"><see cref="CheckBackAnswer.Committed"/> or <see cref="CheckBackAnswer.RolledBack"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task OperatorDecided(TMessage message, CheckBackAnswer decision, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>What became of the local work of a half message.</summary>
public enum CheckBackAnswer
{
    /// <summary>Nobody can tell yet. Asked again, up to <see cref="OutboxOptions.CheckBackLimit"/> times.</summary>
    Unknown = 0,

    /// <summary>It was done: the message is sent.</summary>
    Committed = 1,

    /// <summary>It was not done and never will be: the message is never sent.</summary>
    RolledBack = 2,
}
