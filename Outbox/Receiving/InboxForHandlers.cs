using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.DependencyInjection;
using MassTransit.JobService;
using MassTransit.Middleware;
using MassTransit.Transports;

namespace Outbox.Receiving;

/// <summary>
/// Puts the inbox in front of message handlers, which MassTransit's own observer leaves out. A second handler of the same
/// message on the endpoint is a consumer of its own, told apart by the order of configuration.
/// </summary>
internal sealed class InboxForHandlers<TDbContext>(IReceiveEndpointConfigurator endpoint, IServiceProvider provider, ISetScopedConsumeContext setter)
    : IHandlerConfigurationObserver
    where TDbContext : class
{
    private readonly ConcurrentDictionary<Type, int> _handlers = [];

    public void HandlerConfigured<TMessage>(IHandlerConfigurator<TMessage> configurator)
        where TMessage : class
    {
        var number = _handlers.AddOrUpdate(typeof(TMessage), 1, (_, before) => before + 1);
        var name = endpoint.InputAddress.GetEndpointName();
        var options = new OutboxConsumeOptions
        {
            ConsumerId = JobMetadataCache<MessageHandler<TMessage>, TMessage>.GenerateJobTypeId(number == 1 ? name : $"{name}#{number}"),
            ConsumerType = TypeCache<MessageHandler<TMessage>>.ShortName,
        };
        configurator.AddPipeSpecification(InboxMarks<TDbContext>.Mark<MessageHandler<TMessage>, TMessage>(endpoint));
        var filter = new OutboxConsumeFilter<TDbContext, TMessage>(new ConsumeScopeProvider(provider, setter), options);
        configurator.AddPipeSpecification(new FilterPipeSpecification<ConsumeContext<TMessage>>(filter));
    }
}
