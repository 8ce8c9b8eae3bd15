using MassTransit;
using MassTransit.Configuration;
using MassTransit.Courier.Contracts;
using MassTransit.Transports;

namespace Outbox.Receiving;

/// <summary>
/// Marks where each consumer's inbox begins, for <see cref="InboxPlacement"/>.
/// </summary>
internal sealed class InboxMarks<TDbContext>(IReceiveEndpointConfigurator endpoint)
    : IConsumerConfigurationObserver, ISagaConfigurationObserver, IActivityConfigurationObserver
    where TDbContext : class
{
    public void ConsumerMessageConfigured<TConsumer, TMessage>(IConsumerMessageConfigurator<TConsumer, TMessage> configurator)
        where TConsumer : class
        where TMessage : class
    {
        if (configurator is IConsumerMessageConfigurator<TMessage> pipe)
            pipe.AddPipeSpecification(Mark<TConsumer, TMessage>(endpoint));
    }

    public void SagaMessageConfigured<TSaga, TMessage>(ISagaMessageConfigurator<TSaga, TMessage> configurator)
        where TSaga : class, ISaga
        where TMessage : class
    {
        if (configurator is ISagaMessageConfigurator<TMessage> pipe)
            pipe.AddPipeSpecification(Mark<TSaga, TMessage>(endpoint));
    }

    public void ActivityConfigured<TActivity, TArguments>(IExecuteActivityConfigurator<TActivity, TArguments> configurator, Uri compensateAddress)
        where TActivity : class, IExecuteActivity<TArguments>
        where TArguments : class
        => configurator.RoutingSlip(pipe => pipe.AddPipeSpecification(Mark<TActivity, RoutingSlip>(endpoint)));

    public void ExecuteActivityConfigured<TActivity, TArguments>(IExecuteActivityConfigurator<TActivity, TArguments> configurator)
        where TActivity : class, IExecuteActivity<TArguments>
        where TArguments : class
        => configurator.RoutingSlip(pipe => pipe.AddPipeSpecification(Mark<TActivity, RoutingSlip>(endpoint)));

    public void CompensateActivityConfigured<TActivity, TLog>(ICompensateActivityConfigurator<TActivity, TLog> configurator)
        where TActivity : class, ICompensateActivity<TLog>
        where TLog : class
        => configurator.RoutingSlip(pipe => pipe.AddPipeSpecification(Mark<TActivity, RoutingSlip>(endpoint)));

    public void ConsumerConfigured<TConsumer>(IConsumerConfigurator<TConsumer> configurator)
        where TConsumer : class
    {
    }

    public void SagaConfigured<TSaga>(ISagaConfigurator<TSaga> configurator)
        where TSaga : class, ISaga
    {
    }

    public void StateMachineSagaConfigured<TInstance>(ISagaConfigurator<TInstance> configurator, SagaStateMachine<TInstance> stateMachine)
        where TInstance : class, ISaga, SagaStateMachineInstance
    {
    }

    /// <summary>The mark of one consumer's inbox.</summary>
    internal static IPipeSpecification<ConsumeContext<TMessage>> Mark<TConsumer, TMessage>(IReceiveEndpointConfigurator endpoint)
        where TMessage : class
        => new FilterPipeSpecification<ConsumeContext<TMessage>>(new InboxMark<TMessage>(
            $"{TypeCache<TConsumer>.ShortName} of {TypeCache<TMessage>.ShortName} on the endpoint {endpoint.InputAddress.GetEndpointName()}",
            typeof(TDbContext).Name));
}

/// <summary>Does nothing but say, when it is probed, that a consumer's inbox begins here.</summary>
internal sealed class InboxMark<TMessage>(string consumer, string dbContext) : IFilter<ConsumeContext<TMessage>>
    where TMessage : class
{
    public Task Send(ConsumeContext<TMessage> context, IPipe<ConsumeContext<TMessage>> next) => next.Send(context);

    public void Probe(ProbeContext context)
    {
        var scope = context.CreateFilterScope(InboxPlacement.Inbox);
        scope.Add("consumer", consumer);
        scope.Add("dbContext", dbContext);
    }
}
