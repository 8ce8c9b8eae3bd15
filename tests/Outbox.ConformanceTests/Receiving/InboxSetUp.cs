using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>What a test changes about the service that receives.</summary>
internal sealed record InboxSetUp
{
    public Action<IServiceCollection> Services { get; init; } = _ => { };

    public Action<IBusRegistrationConfigurator> Bus { get; init; } = _ => { };

    public Action<IEntityFrameworkOutboxConfigurator> Outbox { get; init; } = _ => { };

    /// <summary>The endpoint, before its inbox.</summary>
    public Action<IReceiveEndpointConfigurator, IRegistrationContext> Before { get; init; } = (_, _) => { };

    /// <summary>The endpoint, after its inbox and before its consumers.</summary>
    public Action<IReceiveEndpointConfigurator, IRegistrationContext> After { get; init; } = (_, _) => { };

    /// <summary>More endpoints.</summary>
    public Action<IInMemoryBusFactoryConfigurator, IBusRegistrationContext> Endpoints { get; init; } = (_, _) => { };

    /// <summary>The broker; null for the transport within the process.</summary>
    public Uri? RabbitMq { get; init; }

    public Action<DbContextOptionsBuilder> Database { get; init; } = _ => { };
}
