using System.Data;

namespace MassTransit;

/// <summary>
/// Configures the outbox and the inbox of a DbContext. The members that MassTransit's own EF outbox has keep their
/// names and their meaning; see <see cref="Outbox.OutboxOptions"/> for every default.
/// </summary>
public interface IEntityFrameworkOutboxConfigurator
{
    /// <summary>All the options, for those that have no member of their own here, and for binding to configuration.</summary>
    Outbox.OutboxOptions Options { get; }

    /// <inheritdoc cref="Outbox.OutboxOptions.DuplicateDetectionWindow"/>
    TimeSpan DuplicateDetectionWindow { get; set; }

    /// <inheritdoc cref="Outbox.OutboxOptions.IsolationLevel"/>
    IsolationLevel IsolationLevel { set; }

    /// <inheritdoc cref="Outbox.OutboxOptions.QueryDelay"/>
    TimeSpan QueryDelay { get; set; }

    /// <inheritdoc cref="Outbox.OutboxOptions.QueryMessageLimit"/>
    int QueryMessageLimit { get; set; }

    /// <inheritdoc cref="Outbox.OutboxOptions.QueryTimeout"/>
    TimeSpan QueryTimeout { get; set; }

    /// <summary>This process leaves the deleting of expired inbox rows to the other replicas.</summary>
    void DisableInboxCleanupService();

    /// <summary>This process stores messages and leaves the relaying to the other replicas.</summary>
    void DisableDeliveryService();

    /// <summary>
    /// Sends what is published or sent through the scope's plain <see cref="IPublishEndpoint"/> and
    /// <see cref="ISendEndpointProvider"/> to this outbox too. Possible when one outbox is registered on the bus; with
    /// several, use <see cref="Outbox.IOutbox{TDbContext}"/>, which says which one is meant.
    /// </summary>
    /// <param name="configure">The relay's own settings.</param>
    void UseBusOutbox(Action<IEntityFrameworkBusOutboxConfigurator>? configure = null);

    /// <summary>Messages of one key keep their order, and one that fails holds back only its own key.</summary>
    /// <typeparam name="TMessage">The message type, as it is published or sent.</typeparam>
    /// <param name="key">The key of a message, for example the id of the aggregate; null means that the message has none.</param>
    void PartitionBy<TMessage>(Func<TMessage, object?> key)
        where TMessage : class;

    /// <summary>Declares that nobody need listen to this event: reaching no queue then counts as sent.</summary>
    /// <typeparam name="TMessage">The message type, as it is published.</typeparam>
    void AllowUnrouted<TMessage>()
        where TMessage : class;

    /// <summary>Lets messages of a type be prepared: <typeparamref name="TChecker"/> answers for those whose producer did not decide.</summary>
    /// <typeparam name="TMessage">The message type, as it is prepared.</typeparam>
    /// <typeparam name="TChecker">Who answers; made in a scope of its own for each check.</typeparam>
    /// <param name="configure">How messages of this type are checked back, where that is not as <see cref="Options"/> say.</param>
    void AddCheckBack<TMessage, TChecker>(Action<Outbox.CheckBackOptions>? configure = null)
        where TMessage : class
        where TChecker : class, Outbox.ICheckBack<TMessage>;

    /// <summary>Declares that messages of a type are prepared, so that a missing check-back is found at the start.</summary>
    /// <typeparam name="TMessage">The message type, as it is prepared.</typeparam>
    void HalfMessage<TMessage>()
        where TMessage : class;
}

/// <summary>The relay's settings, as MassTransit's own bus outbox names them.</summary>
public interface IEntityFrameworkBusOutboxConfigurator
{
    /// <inheritdoc cref="Outbox.OutboxOptions.MessageDeliveryLimit"/>
    int MessageDeliveryLimit { get; set; }

    /// <inheritdoc cref="Outbox.OutboxOptions.MessageDeliveryTimeout"/>
    TimeSpan MessageDeliveryTimeout { get; set; }

    /// <summary>This process stores messages and leaves the relaying to the other replicas.</summary>
    void DisableDeliveryService();
}
