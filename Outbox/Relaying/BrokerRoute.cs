using MassTransit;
using MassTransit.Configuration;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;

namespace Outbox.Relaying;

/// <summary>The way by which a relay's messages leave.</summary>
internal abstract class BrokerRoute : IDisposable
{
    /// <summary>The best there is for the bus's transport.</summary>
    public static BrokerRoute Of(IBus bus, IHostConfiguration? host)
        => host is IRabbitMqHostConfiguration rabbit ? new RabbitMqRoute(rabbit) : new BusRoute(bus);

    /// <summary>Cancelled when the way is left behind; of no use where that ends what goes by it anyhow.</summary>
    public virtual CancellationToken Left => CancellationToken.None;

    /// <summary>Sees to it that what goes by it ends, if the way has ended and nobody said so.</summary>
    public virtual void Inspect()
    {
    }

    /// <summary>The endpoint of an address.</summary>
    public abstract Task<ISendEndpoint> To(Uri address);

    /// <summary>The endpoint to which messages of a type are published.</summary>
    public abstract Task<ISendEndpoint> To(PublishedType type);

    /// <summary>Leaves behind what may be broken, and whatever is still held by it. The next use begins anew.</summary>
    public abstract Task Abandon();

    public abstract void Dispose();
}

/// <summary>The bus's own way, which the bus itself looks after.</summary>
/// <remarks>
/// A transport does not always end what it was told to give up: not while it makes a channel, nor when its client has lost a confirmation.
/// And it replaces no broken connection while it waits for one of them. One token for all sends: one for each would cost more than
/// the send itself.
/// </remarks>
internal sealed class BusRoute : BrokerRoute
{
    private readonly IBus _bus;
    private readonly ConnectHandle[] _observers;
    private CancellationTokenSource _left = new();

    public BusRoute(IBus bus)
    {
        _bus = bus;
        var faults = new TransportFaults();
        _observers = [bus.ConnectSendObserver(faults), bus.ConnectPublishObserver(faults)];
    }

    public override CancellationToken Left => _left.Token;

    public override Task<ISendEndpoint> To(Uri address) => _bus.GetSendEndpoint(address);

    public override Task<ISendEndpoint> To(PublishedType type) => type.Endpoint(_bus);

    public override async Task Abandon()
    {
        var left = Interlocked.Exchange(ref _left, new CancellationTokenSource());
        await left.CancelAsync().ConfigureAwait(false);
        left.Dispose();
    }

    public override void Dispose()
    {
        foreach (var observer in _observers)
            observer.Dispose();
        _left.Dispose();
    }
}

/// <summary>The transport of a bus.</summary>
internal static class BusHost
{
    /// <summary>The configuration of the bus's host, among all buses of the application.</summary>
    public static IHostConfiguration? HostOf(this IBusControl bus, IEnumerable<IBusInstance> instances)
        => instances.FirstOrDefault(i => ReferenceEquals(i.BusControl, bus))?.HostConfiguration;
}
