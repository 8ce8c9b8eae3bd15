using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.RabbitMqTransport.Topology;
using MassTransit.Transports;

namespace Outbox.Relaying;

/// <summary>A connection to RabbitMQ that is the relay's alone, so that it can be left behind whenever it may be broken.</summary>
/// <remarks>
/// RabbitMQ.Client 7.1.2 tells the channels of a connection one after the other that it has ended, and stops at one that is disposed of
/// meanwhile: the others go on for ever with a connection that is no more. A relay that shares it would send into nothing, and blame
/// its messages for it. What is left behind after a break cannot be handed out again. To publish and to consume by two connections is
/// also what keeps a broker that is short of memory, and holds publishers back, from holding back acknowledgements.
/// </remarks>
internal sealed class RabbitMqRoute : BrokerRoute, ISendTransportProvider, IPublishTransportProvider
{
    // What is left behind may never end.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly Lock Making = new();

    private readonly IRabbitMqHostConfiguration _host;
    private readonly IRabbitMqReceiveEndpointConfiguration _configuration;
    private readonly SendingContext _context;
    private readonly Lock _gate = new();
    private Way? _way;

    public RabbitMqRoute(IRabbitMqHostConfiguration host)
    {
        // Sends are configured like those of a receive endpoint, with all that the bus says of sends. It is never built, and receives nothing.
        _host = host;
        lock (Making)                                      // the host keeps a list of them, and the relays of one bus start together
            _configuration = host.CreateReceiveEndpointConfiguration("outbox-relay", _ => { });
        _context = new SendingContext(host, _configuration, this);
    }

    public override Task<ISendEndpoint> To(Uri address) => _context.SendEndpointProvider.GetSendEndpoint(address);

    public override Task<ISendEndpoint> To(PublishedType type) => type.Endpoint(_context.PublishEndpointProvider);

    public override async Task Abandon()
    {
        Way? way;
        lock (_gate)
        {
            (way, _way) = (_way, null);
            _context.Reset();                              // its endpoints go by what is abandoned
        }

        if (way is null)
            return;
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        try
        {
            await way.Connection.Stop("The relay begins anew.", patience.Token).WaitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // It was broken, and that is why it is left behind.
        }
    }

    Uri ISendTransportProvider.NormalizeAddress(Uri address) => _host.ConnectionContextSupervisor.NormalizeAddress(address);

    Task<ISendTransport> ISendTransportProvider.GetSendTransport(Uri address)
    {
        var way = Current();
        return way.Connection.CreateSendTransport(_context, way.Channel, address);
    }

    Task<ISendTransport> IPublishTransportProvider.GetPublishTransport<T>(Uri? publishAddress)
    {
        var way = Current();
        return way.Connection.CreatePublishTransport<T>(_context, way.Channel);
    }

    private Way Current()
    {
        lock (_gate)
        {
            if (_way is not null)
                return _way;
            var connection = new ConnectionContextSupervisor(_host, (IRabbitMqTopologyConfiguration)_configuration.Topology);
            return _way = new Way(connection, new ChannelContextSupervisor(connection, concurrentMessageLimit: null));
        }
    }

    /// <summary>One connection, and the one channel on it.</summary>
    private sealed record Way(ConnectionContextSupervisor Connection, ChannelContextSupervisor Channel);

    /// <summary>As a receive endpoint sends, but by the relay's connection.</summary>
    private sealed class SendingContext(IRabbitMqHostConfiguration host, IRabbitMqReceiveEndpointConfiguration configuration, RabbitMqRoute route)
        : RabbitMqQueueReceiveEndpointContext(host, configuration, NothingToReceive(host))
    {
        protected override ISendTransportProvider CreateSendTransportProvider() => route;

        protected override IPublishTransportProvider CreatePublishTransportProvider() => route;

        private static BrokerTopology NothingToReceive(IRabbitMqHostConfiguration host)
            => host.Topology.SendTopology.GetSendSettings(new RabbitMqEndpointAddress(host.HostAddress, new Uri("exchange:outbox-relay"))).GetBrokerTopology();
    }
}
