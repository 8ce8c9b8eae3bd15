using MassTransit;
using MassTransit.Configuration;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;

namespace Outbox.Relaying;

/// <summary>The way by which a relay's messages leave.</summary>
internal abstract class BrokerRoute
{
    /// <summary>The best there is for the bus's transport.</summary>
    public static BrokerRoute Of(IBus bus, IHostConfiguration? host)
        => host is IRabbitMqHostConfiguration rabbit ? new RabbitMqRoute(rabbit) : new BusRoute(bus);

    /// <summary>The endpoint of an address.</summary>
    public abstract Task<ISendEndpoint> To(Uri address);

    /// <summary>The endpoint to which messages of a type are published.</summary>
    public abstract Task<ISendEndpoint> To(PublishedType type);

    /// <summary>Leaves behind what may be broken, and whatever is still held by it. The next use begins anew.</summary>
    public abstract Task Abandon();
}

/// <summary>The bus's own way, which the bus itself looks after.</summary>
internal sealed class BusRoute(IBus bus) : BrokerRoute
{
    public override Task<ISendEndpoint> To(Uri address) => bus.GetSendEndpoint(address);

    public override Task<ISendEndpoint> To(PublishedType type) => type.Endpoint(bus);

    public override Task Abandon() => Task.CompletedTask;
}

/// <summary>The transport of a bus.</summary>
internal static class BusHost
{
    /// <summary>The configuration of the bus's host, among all buses of the application.</summary>
    public static IHostConfiguration? HostOf(this IBusControl bus, IEnumerable<IBusInstance> instances)
        => instances.FirstOrDefault(i => ReferenceEquals(i.BusControl, bus))?.HostConfiguration;
}
