using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.RabbitMqTransport.Middleware;
using MassTransit.RabbitMqTransport.Topology;
using MassTransit.Transports;

namespace Outbox.Relaying;

/// <summary>A connection to RabbitMQ that is the relay's alone, so that it can be left behind whenever it may be broken.</summary>
/// <remarks>
/// RabbitMQ.Client 7.1.2 tells the channels of a connection one after the other that it has ended, and stops at one that is disposed of
/// meanwhile: the others go on for ever with a connection that is no more. A relay that shares it would send into nothing, and blame
/// its messages for it. To publish and to consume by two connections is also what keeps a broker that is short of memory, and holds
/// publishers back, from holding back acknowledgements.
/// </remarks>
internal sealed class RabbitMqRoute : BrokerRoute, ISendTransportProvider, IPublishTransportProvider
{
    // What is left behind may never end.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly Lock Making = new();

    private readonly IRabbitMqHostConfiguration _host;
    private readonly IRabbitMqTopologyConfiguration _topology;
    private readonly ChannelContextSupervisor _none;
    private readonly SendingContext _context;
    private readonly Lock _gate = new();
    private CancellationTokenSource _left = new();
    private Task<ConfirmedChannel>? _opening;

    public RabbitMqRoute(IRabbitMqHostConfiguration host)
    {
        // Sends are configured like those of a receive endpoint, with all that the bus says of sends. It is never built, and receives nothing.
        IRabbitMqReceiveEndpointConfiguration configuration;
        lock (Making)                                      // the host keeps a list of them, and the relays of one bus start together
            configuration = host.CreateReceiveEndpointConfiguration("outbox-relay", _ => { });
        (_host, _topology) = (host, (IRabbitMqTopologyConfiguration)configuration.Topology);
        _none = new ChannelContextSupervisor(host.ConnectionContextSupervisor, concurrentMessageLimit: null);
        _context = new SendingContext(host, configuration, this);
    }

    public override void Inspect()
    {
        lock (_gate)
            _ = _opening is { IsCompletedSuccessfully: true } opened && opened.Result.HasEnded();
    }

    public override Task<ISendEndpoint> To(Uri address) => _context.SendEndpointProvider.GetSendEndpoint(address);

    public override Task<ISendEndpoint> To(PublishedType type) => type.Endpoint(_context.PublishEndpointProvider);

    public override async Task Abandon()
    {
        Task<ConfirmedChannel>? opening;
        CancellationTokenSource left;
        lock (_gate)
        {
            (opening, _opening) = (_opening, null);
            (left, _left) = (_left, new CancellationTokenSource());
        }

        await left.CancelAsync().ConfigureAwait(false);
        left.Dispose();
        if (opening is not null)
            await Task.WhenAny(Close(opening), Task.Delay(Patience, TimeProvider.System)).ConfigureAwait(false);
    }

    public override void Dispose() => _left.Dispose();

    Uri ISendTransportProvider.NormalizeAddress(Uri address) => _host.ConnectionContextSupervisor.NormalizeAddress(address);

    Task<ISendTransport> ISendTransportProvider.GetSendTransport(Uri address)
    {
        var endpoint = new RabbitMqEndpointAddress(_host.HostAddress, address);
        var settings = _topology.Send.GetSendSettings(endpoint);
        return Transport(settings, settings.GetBrokerTopology(), settings.ExchangeName, endpoint);
    }

    Task<ISendTransport> IPublishTransportProvider.GetPublishTransport<T>(Uri? publishAddress)
    {
        var type = ((IRabbitMqPublishTopology)_topology.Publish).GetMessageTopology<T>();
        var settings = type.GetSendSettings(_host.HostAddress);
        return Transport(settings, type.GetBrokerTopology(), type.Exchange.ExchangeName, settings.GetSendAddress(_host.HostAddress));
    }

    private Task<ISendTransport> Transport(SendSettings settings, BrokerTopology needed, string exchange, RabbitMqEndpointAddress address)
    {
        // Declared by a channel of its own; by the channel of all messages nothing is left to declare.
        var nothing = new ConfigureRabbitMqTopologyFilter<SendSettings>(settings, new ReceiveEndpointBrokerTopologyBuilder().BuildBrokerTopology());
        var delayed = address.GetDelaySettings();
        delayed.BindToExchange(exchange);
        var context = new RabbitMqSendTransportContext(
            _host, _context, _none, nothing, exchange,
            Pipe.ToPipe(new ConfigureRabbitMqTopologyFilter<DelaySettings>(delayed, delayed.GetBrokerTopology())), delayed.ExchangeName);
        return Task.FromResult<ISendTransport>(new ChannelTransport(context, new ConfigureRabbitMqTopologyFilter<SendSettings>(settings, needed), Channel));
    }

    /// <summary>The channel that is open, or a new one.</summary>
    private ValueTask<ConfirmedChannel> Channel()
    {
        lock (_gate)
        {
            if (_opening is { IsCompletedSuccessfully: true } opened && !opened.Result.HasEnded())
                return new(opened.Result);

            // Whoever waits is not kept by what is left behind; that is closed once it is there, since a connecting that is cancelled stays open.
            var left = _left.Token;
            if (_opening is null or { IsCompleted: true })
            {
                if (_opening is { } ended)
                    _ = Close(ended);
                _opening = Task.Run(() => ConfirmedChannel.Open(_host), CancellationToken.None);
            }

            return new(_opening.WaitAsync(left));
        }
    }

    private static async Task Close(Task<ConfirmedChannel> opening)
    {
        try
        {
            await ((IAsyncDisposable)await opening.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            // It never opened.
        }
    }

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
