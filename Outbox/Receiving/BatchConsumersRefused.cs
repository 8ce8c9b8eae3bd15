using MassTransit;
using MassTransit.Transports;

namespace Outbox.Receiving;

/// <summary>
/// A batch arrives under the id of its last message: keyed by that one id, the inbox would forget all the others and
/// lose those that are delivered again in another batch.
/// </summary>
internal sealed class BatchConsumersRefused(IReceiveEndpointConfigurator endpoint) : IConsumerConfigurationObserver
{
    public void ConsumerConfigured<TConsumer>(IConsumerConfigurator<TConsumer> configurator)
        where TConsumer : class
    {
    }

    public void ConsumerMessageConfigured<TConsumer, TMessage>(IConsumerMessageConfigurator<TConsumer, TMessage> configurator)
        where TConsumer : class
        where TMessage : class
    {
        if (!typeof(TMessage).IsGenericType || typeof(TMessage).GetGenericTypeDefinition() != typeof(Batch<>))
            return;

        throw new ConfigurationException(
            $"The inbox needs consumers of single messages; found {TypeCache<TConsumer>.ShortName} of {TypeCache<TMessage>.ShortName} on the endpoint "
            + $"{endpoint.InputAddress.GetEndpointName()}. A batch is known by the id of one of its messages, so that the others would be lost "
            + "when they are delivered again. Consume the messages one by one, or give the batch consumer an endpoint without UseEntityFrameworkOutbox.");
    }
}
