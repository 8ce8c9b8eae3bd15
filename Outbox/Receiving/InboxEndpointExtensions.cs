using MassTransit.Configuration;
using MassTransit.DependencyInjection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox;
using Outbox.Databases;
using Outbox.Receiving;
using Outbox.Relaying;

namespace MassTransit;

/// <summary>Puts the inbox on a receive endpoint.</summary>
public static class InboxEndpointExtensions
{
    /// <summary>
    /// Everything that this endpoint consumes runs in one transaction of <typeparamref name="TDbContext"/>, with the note
    /// that the message was consumed and with what the consumer publishes, sends and responds: all of it, or nothing. A
    /// message that is delivered again is acknowledged without running the consumer.
    /// </summary>
    /// <remarks>
    /// <c>UseMessageRetry</c> and redelivery belong on the endpoint, in any order: they then run around the transaction.
    /// The two options are accepted for familiarity and have no effect here: the relay delivers, not the endpoint.
    /// </remarks>
    /// <typeparam name="TDbContext">The DbContext that <c>AddEntityFrameworkOutbox</c> was called for.</typeparam>
    /// <param name="configurator">The endpoint.</param>
    /// <param name="context">The bus registration.</param>
    /// <param name="configure">Accepted for familiarity.</param>
    /// <exception cref="ConfigurationException">
    /// The DbContext has no outbox, or its model no inbox. At the start of the bus: a retry inside the transaction.
    /// </exception>
    public static void UseEntityFrameworkOutbox<TDbContext>(
        this IReceiveEndpointConfigurator configurator, IRegistrationContext context, Action<IOutboxOptionsConfigurator>? configure = null)
        where TDbContext : DbContext
        => Use<TDbContext>(configurator, context, context as ISetScopedConsumeContext ?? LegacySetScopedConsumeContext.Instance, configure);

    /// <inheritdoc cref="UseEntityFrameworkOutbox{TDbContext}(IReceiveEndpointConfigurator, IRegistrationContext, Action{IOutboxOptionsConfigurator}?)"/>
    /// <param name="configurator">The endpoint.</param>
    /// <param name="provider">The application's services.</param>
    /// <param name="configure">Accepted for familiarity.</param>
    public static void UseEntityFrameworkOutbox<TDbContext>(
        this IReceiveEndpointConfigurator configurator, IServiceProvider provider, Action<IOutboxOptionsConfigurator>? configure = null)
        where TDbContext : DbContext
        => Use<TDbContext>(configurator, provider, provider as ISetScopedConsumeContext ?? LegacySetScopedConsumeContext.Instance, configure);

    private static void Use<TDbContext>(
        IReceiveEndpointConfigurator configurator, IServiceProvider provider, ISetScopedConsumeContext setter, Action<IOutboxOptionsConfigurator>? configure)
        where TDbContext : DbContext
    {
        if (provider.GetService<OutboxRegistration<TDbContext>>() is null)
        {
            throw new ConfigurationException(
                $"UseEntityFrameworkOutbox<{typeof(TDbContext).Name}> needs the outbox of {typeof(TDbContext).Name}; found none. "
                + $"Call AddEntityFrameworkOutbox<{typeof(TDbContext).Name}> in AddMassTransit.");
        }

        // Asked for here, so that a model without the inbox's table is an error of the start.
        _ = provider.GetRequiredService<OutboxStore<TDbContext>>().Inbox;

        provider.GetRequiredService<UntoldChannels>().Watch(configurator);
        var marks = new InboxMarks<TDbContext>(configurator);
        configurator.ConnectConsumerConfigurationObserver(marks);
        configurator.ConnectSagaConfigurationObserver(marks);
        configurator.ConnectActivityConfigurationObserver(marks);

        var filters = new OutboxConsumePipeSpecificationObserver<TDbContext>(configurator, provider, setter);
        configure?.Invoke(filters);
        configurator.ConnectConsumerConfigurationObserver(filters);
        configurator.ConnectSagaConfigurationObserver(filters);
        configurator.ConnectActivityConfigurationObserver(filters);
        configurator.ConnectHandlerConfigurationObserver(new InboxForHandlers<TDbContext>(configurator, provider, setter));

        // Before any other filter, so that whoever redelivers finds this one.
        configurator.AddPrePipeSpecification(new FilterPipeSpecification<ConsumeContext>(new StoredRedeliveryFilter<TDbContext>(provider)));
    }
}
