using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Telemetry;
using RabbitMQ.Client;

namespace Outbox.Relaying;

/// <summary>Has a bus replace a connection to RabbitMQ that is closed and handed out all the same, and its endpoints leave one that is.</summary>
/// <remarks>
/// MassTransit replaces a connection when the client says that it has ended. RabbitMQ.Client 7.1.2 never says it when one of its channels is
/// disposed of while a send still begins there: its loop then waits for ever. A use of the connection that fails makes MassTransit
/// replace it as well.
/// </remarks>
internal sealed class DeadConnectionWatch(
    IServiceProvider services, UntoldChannels channels, TimeProvider time, ILogger<DeadConnectionWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // What is disposed of may wait for the same loop.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        var looks = services.GetServices<IBusInstance>().Select(bus => bus.HostConfiguration).OfType<IRabbitMqHostConfiguration>()
            .Select(host => (Host: host, Look: new Look(logger))).ToList();
        try
        {
            while (looks.Count > 0)
            {
                await Task.Delay(Period, time, stoppingToken).ConfigureAwait(false);
                channels.Look();
                foreach (var (host, look) in looks)
                    await Once(host.ConnectionContextSupervisor, look, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application stops.
        }
    }

    private async Task Once(IConnectionContextSupervisor connection, Look look, CancellationToken stopping)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, stopping);
        try
        {
            await connection.Send(look, either.Token).WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (Exception) when (!stopping.IsCancellationRequested)
        {
            // It was dead, and was said to be; or the broker is away, which the bus has logged.
        }
    }

    /// <summary>Fails when it meets a closed connection for the second time.</summary>
    private sealed class Look(ILogger logger) : IPipe<ConnectionContext>
    {
        private IConnection? _closed;

        public Task Send(ConnectionContext context)
        {
            if (context.Connection.IsOpen)
            {
                _closed = null;
                return Task.CompletedTask;
            }

            if (!ReferenceEquals(_closed, context.Connection))
            {
                _closed = context.Connection;
                return Task.CompletedTask;
            }

            logger.DeadConnection(context.Description, context.Connection.CloseReason?.ReplyText);
            throw new ConnectionException("The connection is closed and was expected to be replaced.");
        }

        public void Probe(ProbeContext context) => context.CreateScope("outbox");
    }
}
