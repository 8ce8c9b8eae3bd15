using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.RabbitMqTransport;
using MassTransit.Transports;
using Microsoft.Extensions.Logging;
using Outbox.Telemetry;
using RabbitMQ.Client;

namespace Outbox.Relaying;

/// <summary>Has a receive endpoint leave its channel when that has ended, or its connection has, and the endpoint was not told.</summary>
/// <remarks>
/// RabbitMQ.Client 7.1.2 tells the channels of a connection one after the other that it has ended. One of them that MassTransit disposes of
/// at that moment, as it does when the machine is busy, ends the telling, and the endpoints of the others would wait for messages for ever.
/// A channel that was told passes it on to its consumer; but MassTransit's waits without end for the broker's answer to its beginning,
/// which is dropped when the channel ends just then.
/// </remarks>
internal sealed class UntoldChannels(ILogger<DeadConnectionWatch> logger) : IFilter<ChannelContext>
{
    /// <summary>At so many looks in a row a channel that is open is found untold before it is left.</summary>
    public const int UntoldLooks = 2;

    /// <summary>
    /// The same for one that is closed: a minute, in which the endpoint may end what it consumes. What runs longer then runs beside its
    /// redelivery, as it would if another process received that.
    /// </summary>
    public const int ClosedLooks = 12;

    private readonly ConcurrentDictionary<Use, object> _uses = [];
    private readonly ConditionalWeakTable<IReceiveEndpointConfigurator, object> _watched = [];

    /// <summary>Puts itself on an endpoint, once, if that receives from RabbitMQ.</summary>
    public void Watch(IReceiveEndpointConfigurator endpoint)
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit && _watched.TryAdd(endpoint, this))
            rabbit.ConfigureChannel(channel => channel.AddPipeSpecification(new FilterPipeSpecification<ChannelContext>(this)));
    }

    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        var use = new Use(context);
        _uses.TryAdd(use, this);
        try
        {
            // Lasts for as long as the endpoint receives.
            var receiving = next.Send(context);
            if (await Task.WhenAny(receiving, use.Left).ConfigureAwait(false) != receiving)
                throw new ConnectionException("The connection or the channel has ended, and the endpoint was not told.");
            await receiving.ConfigureAwait(false);
        }
        finally
        {
            _uses.TryRemove(use, out _);
        }
    }

    /// <summary>Looks at every channel. One that is found ended again and again, with its endpoint still there, is left.</summary>
    public void Look()
    {
        foreach (var use in _uses.Keys)
        {
            use.Ended = use.Connection.IsOpen && use.Channel.IsOpen ? 0 : use.Ended + 1;
            if (use.Ended >= (use.Channel.IsOpen ? UntoldLooks : ClosedLooks) && use.Leave())
                logger.UntoldChannel(use.Description, (use.Connection.CloseReason ?? use.Channel.CloseReason)?.ReplyText);
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("outbox");

    /// <summary>An endpoint's use of a channel.</summary>
    private sealed class Use(ChannelContext context)
    {
        private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IConnection Connection => context.ConnectionContext.Connection;

        public IChannel Channel => context.Channel;

        public string Description => context.ConnectionContext.Description;

        /// <summary>How many looks in a row have found it ended.</summary>
        public int Ended { get; set; }

        public Task Left => _left.Task;

        public bool Leave() => _left.TrySetResult();
    }
}
