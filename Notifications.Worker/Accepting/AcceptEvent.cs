using MassTransit;
using ServiceDefaults;

namespace Notifications;

/// <summary>Takes in a message as an event to tell of. The inbox saves and commits what is added and sent here.</summary>
public sealed class AcceptEvent<TMessage>(EventType<TMessage> type, EventLog events) : IConsumer<TMessage>
    where TMessage : class
{
    public Task Consume(ConsumeContext<TMessage> context) =>
        events.Add(type.Of(context.Message), context.CancellationToken);
}

public sealed class AcceptEventDefinition<TMessage> : ConsumerDefinition<AcceptEvent<TMessage>>
    where TMessage : class
{
    // As many as make use of a database's group commit; more would take connections from one another. The next are at hand.
    private const int AtOnce = 16;
    private const int AtHand = 64;

    public AcceptEventDefinition(EventType<TMessage> type)
    {
        EndpointName = $"notifications-accept-{type.Name.Replace('.', '-')}";
        Endpoint(endpoint => (endpoint.ConcurrentMessageLimit, endpoint.PrefetchCount) = (AtOnce, AtHand));
    }

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<AcceptEvent<TMessage>> consumerConfigurator,
        IRegistrationContext context) =>
        endpointConfigurator.UseServiceInbox<NotificationsDb>(context);
}
