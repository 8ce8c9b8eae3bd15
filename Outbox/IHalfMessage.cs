namespace Outbox;

/// <summary>
/// A message that is stored and that no consumer sees, until the local work that it reports is known to be done. Neither
/// committed nor rolled back means <em>unknown</em>: the type's <see cref="ICheckBack{TMessage}"/> is asked.
/// </summary>
/// <remarks>
/// The first decision stands, whoever makes it. The same one again changes nothing; the opposite one fails with
/// <see cref="HalfMessageDecidedException"/>, and what was to be saved with it is not saved.
/// </remarks>
public interface IHalfMessage : IAsyncDisposable
{
    /// <summary>The message id: the one that the consumers will see.</summary>
    Guid MessageId { get; }

    /// <summary>
    /// Lets the DbContext's next <c>SaveChanges</c> commit the message, in the same transaction as the business rows. A save
    /// that fails decides nothing, and its repetition decides again. The last call before the save counts.
    /// </summary>
    void Commit();

    /// <summary>Lets the DbContext's next <c>SaveChanges</c> roll the message back, in the same transaction as the business rows.</summary>
    void Rollback();

    /// <summary>Commits the message at once, in a transaction of its own: for local work that is in no DbContext.</summary>
    /// <param name="cancellationToken">Gives up; the message may be committed all the same.</param>
    /// <exception cref="HalfMessageDecidedException">It was rolled back before, or so long ago decided that nothing is known of it any more.</exception>
    /// <exception cref="InvalidOperationException">The DbContext has a transaction open, which <see cref="Commit"/> would join.</exception>
    Task CommitAsync(CancellationToken cancellationToken = default);

    /// <summary>Rolls the message back at once, in a transaction of its own.</summary>
    /// <param name="cancellationToken">Gives up; the message may be rolled back all the same.</param>
    /// <exception cref="HalfMessageDecidedException">It was committed before, or so long ago decided that nothing is known of it any more.</exception>
    /// <exception cref="InvalidOperationException">The DbContext has a transaction open, which <see cref="Rollback"/> would join.</exception>
    Task RollbackAsync(CancellationToken cancellationToken = default);
}

/// <summary>What the local work of <see cref="IOutbox{TDbContext}.PrepareAndRun"/> came to.</summary>
public enum LocalWork
{
    /// <summary>It was done: the message is sent.</summary>
    Committed = 0,

    /// <summary>It was refused and never will be done: the message is never sent.</summary>
    RolledBack = 1,
}
