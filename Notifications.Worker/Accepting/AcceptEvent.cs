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
    public AcceptEventDefinition(EventType<TMessage> type) => EndpointName = $"notifications-accept-{type.Name.Replace('.', '-')}";

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<AcceptEvent<TMessage>> consumerConfigurator,
        IRegistrationContext context) =>
        endpointConfigurator.UseServiceInbox<NotificationsDb>(context);
}
