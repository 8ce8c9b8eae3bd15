using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Outbox;

/// <summary>
/// The outbox of a DbContext: what is published or sent here is stored by the DbContext's next save, in the same
/// transaction as the business rows, and sent by the relay afterwards. Both, or neither.
/// </summary>
/// <remarks>
/// Scoped; belongs to the scope's <typeparamref name="TDbContext"/>. For a DbContext made by a factory see
/// <see cref="IOutboxFactory{TDbContext}"/>. Nothing is stored until <c>SaveChanges</c> is called.
/// All the forms of MassTransit's <see cref="IPublishEndpoint"/> and <see cref="ISendEndpointProvider"/> apply, for
/// example <c>outbox.Publish(message)</c> and <c>outbox.Send(new Uri("queue:name"), message)</c>.
/// </remarks>
/// <typeparam name="TDbContext">The DbContext whose transaction the messages join.</typeparam>
public interface IOutbox<TDbContext> : IPublishEndpoint, ISendEndpointProvider
    where TDbContext : DbContext
{
    /// <summary>Stores a message for one address with the DbContext's next save.</summary>
    /// <typeparam name="TMessage">The message type.</typeparam>
    /// <param name="destinationAddress">Where it goes, for example <c>queue:name</c>.</param>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task Send<TMessage>(Uri destinationAddress, TMessage message, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <summary>Stores a message for one address with the DbContext's next save, with headers and ids of the caller's choice.</summary>
    /// <typeparam name="TMessage">The message type.</typeparam>
    /// <param name="destinationAddress">Where it goes, for example <c>queue:name</c>.</param>
    /// <param name="message">The message.</param>
    /// <param name="configure">Sets headers, ids, time to live or the partition key.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task Send<TMessage>(Uri destinationAddress, TMessage message, Action<SendContext<TMessage>> configure, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <summary>Stores a message with the DbContext's next save that is published when it is due, however far ahead that lies.</summary>
    /// <typeparam name="TMessage">The message type.</typeparam>
    /// <param name="message">The message.</param>
    /// <param name="due">When it is published; a time in the past means at once.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What <see cref="Cancel"/> wants: the message id.</returns>
    Task<Guid> Schedule<TMessage>(TMessage message, DateTimeOffset due, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <inheritdoc cref="Schedule{TMessage}(TMessage, DateTimeOffset, CancellationToken)"/>
    /// <param name="message">The message.</param>
    /// <param name="due">When it is published; a time in the past means at once.</param>
    /// <param name="configure">Sets headers, ids, time to live or the partition key.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<Guid> Schedule<TMessage>(TMessage message, DateTimeOffset due, Action<PublishContext<TMessage>> configure, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <summary>Stores a message with the DbContext's next save that is sent to one address when it is due, however far ahead that lies.</summary>
    /// <typeparam name="TMessage">The message type.</typeparam>
    /// <param name="destinationAddress">Where it goes, for example <c>queue:name</c>.</param>
    /// <param name="message">The message.</param>
    /// <param name="due">When it is sent; a time in the past means at once.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What <see cref="Cancel"/> wants: the message id.</returns>
    Task<Guid> Schedule<TMessage>(Uri destinationAddress, TMessage message, DateTimeOffset due, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <inheritdoc cref="Schedule{TMessage}(Uri, TMessage, DateTimeOffset, CancellationToken)"/>
    /// <param name="destinationAddress">Where it goes, for example <c>queue:name</c>.</param>
    /// <param name="message">The message.</param>
    /// <param name="due">When it is sent; a time in the past means at once.</param>
    /// <param name="configure">Sets headers, ids, time to live or the partition key.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<Guid> Schedule<TMessage>(
        Uri destinationAddress, TMessage message, DateTimeOffset due, Action<SendContext<TMessage>> configure, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <summary>
    /// Takes a scheduled message back. This happens at once, in the DbContext's open transaction if it has one; it does not
    /// wait for the next save.
    /// </summary>
    /// <param name="token">What <c>Schedule</c> returned.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>
    /// <see langword="true"/> when it was still there and is never sent, provided that the transaction commits;
    /// <see langword="false"/> when it is due already, was sent, or was never scheduled.
    /// </returns>
    Task<bool> Cancel(Guid token, CancellationToken cancellationToken = default);

    /// <summary>
    /// Stores a message at once, in a transaction of its own, for local work that no transaction can hold: no consumer sees
    /// it until it is committed, and when its producer dies before it has decided, the type's check-back answers.
    /// </summary>
    /// <typeparam name="TMessage">The message type; it needs a check-back (<c>AddCheckBack</c>).</typeparam>
    /// <param name="message">The message. It is what will be published: nothing of it can be changed afterwards.</param>
    /// <param name="cancellationToken">Gives up; the message may be stored all the same, and is then checked back.</param>
    /// <returns>What commits the message or rolls it back.</returns>
    /// <exception cref="InvalidOperationException">The DbContext has a transaction open; or the type's publish configuration sets a time to live or a delay.</exception>
    /// <exception cref="ConfigurationException">The type has no check-back.</exception>
    Task<IHalfMessage> Prepare<TMessage>(TMessage message, CancellationToken cancellationToken = default)
        where TMessage : class;

    /// <summary>Prepares a message, runs the local work, and commits the message or rolls it back at once, as the work says.</summary>
    /// <typeparam name="TMessage">The message type; it needs a check-back (<c>AddCheckBack</c>).</typeparam>
    /// <param name="message">The message.</param>
    /// <param name="work">The local work. An exception means that nobody knows whether it was done: the check-back finds out.</param>
    /// <param name="cancellationToken">Gives up, before the work or in it.</param>
    /// <returns>What the work returned.</returns>
    /// <exception cref="HalfMessageDecidedException">The opposite was decided while the work ran, by a check-back or an operator.</exception>
    Task<LocalWork> PrepareAndRun<TMessage>(TMessage message, Func<CancellationToken, Task<LocalWork>> work, CancellationToken cancellationToken = default)
        where TMessage : class;
}

/// <summary>Gives the outbox of a DbContext that does not come from the scope, for example one made by an <see cref="IDbContextFactory{TContext}"/>.</summary>
/// <typeparam name="TDbContext">The DbContext that the outbox was registered for.</typeparam>
public interface IOutboxFactory<TDbContext>
    where TDbContext : DbContext
{
    /// <summary>The outbox whose messages are stored by <paramref name="dbContext"/>.</summary>
    /// <param name="dbContext">The DbContext that will be saved; the caller keeps owning it.</param>
    IOutbox<TDbContext> For(TDbContext dbContext);
}
