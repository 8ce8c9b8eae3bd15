using MassTransit;

namespace Notifications.Delivering;

/// <summary>
/// Wakes up a delivery. Without the inbox: whether there is anything to do says the delivery's row, and no transaction may stay
/// open during the call.
/// </summary>
internal sealed class Deliver(Attempting attempting, ILogger<Deliver> logger) : IConsumer<WakeDelivery>
{
    public async Task Consume(ConsumeContext<WakeDelivery> context)
    {
        try
        {
            await attempting.Run(context.Message, context.CancellationToken);
        }
        catch (Exception exception) when (!context.CancellationToken.IsCancellationRequested)
        {
            // The row still says what is to be done, and the sweeper finds it; an error queue would say it a second time.
            logger.LeftToTheSweeper(context.Message.DeliveryId, context.Message.Attempt, exception);
        }
    }
}

internal sealed class DeliverDefinition : ConsumerDefinition<Deliver>
{
    // What is over a cap is parked at once, and must not wait behind what is under way.
    private const int Spare = 64;

    public DeliverDefinition(DeliverySettings settings)
    {
        EndpointName = WakeDelivery.Queue;
        Endpoint(endpoint => endpoint.PrefetchCount = endpoint.ConcurrentMessageLimit = settings.MostInFlight + Spare);
    }

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<Deliver> consumerConfigurator, IRegistrationContext context) =>
        endpointConfigurator.ConfigureConsumeTopology = false;   // it is sent, never published
}
