using MassTransit;
using MassTransit.Configuration;
using ServiceDefaults;

namespace Notifications;

/// <summary>
/// Takes in a message as an event to tell of, when <see cref="AcceptTogether{TMessage}"/> could not. The inbox saves and commits what is
/// added and sent here.
/// </summary>
public sealed class AcceptEvent<TMessage>(EventType<TMessage> type, EventLog events, DeliveryStart deliveries) : IConsumer<TMessage>
    where TMessage : class
{
    public async Task Consume(ConsumeContext<TMessage> context)
    {
        foreach (var told in (await events.Add([type.Of(context.Message)], context.CancellationToken)).Told)
        {
            await deliveries.Begin(told.Notification.Id, told.Endpoint.Id, told.Endpoint.State, context.CancellationToken);
        }
    }
}

public sealed class AcceptEventDefinition<TMessage> : ConsumerDefinition<AcceptEvent<TMessage>>
    where TMessage : class
{
    // As many as may come together; each on its own would still find a connection. The next are at hand.
    private const int AtOnce = 32;
    private const int AtHand = 64;

    private readonly EventType<TMessage> type;

    public AcceptEventDefinition(EventType<TMessage> type)
    {
        this.type = type;
        EndpointName = $"notifications-accept-{type.Name.Replace('.', '-')}";
        Endpoint(endpoint => (endpoint.ConcurrentMessageLimit, endpoint.PrefetchCount) = (AtOnce, AtHand));
    }

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<AcceptEvent<TMessage>> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.AddPipeSpecification(new FilterPipeSpecification<ConsumeContext<TMessage>>(
            new AcceptTogether<TMessage>(type, context.GetRequiredService<EventIntake>())));
        endpointConfigurator.UseServiceInbox<NotificationsDb>(context);
    }
}
