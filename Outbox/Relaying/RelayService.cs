using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>Owns the loop of a relay: when it works, how it waits, what happens on errors, how it stops.</summary>
internal sealed class RelayService<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, IBusControl bus, TimeProvider time, ILogger<RelayService<TDbContext>> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    private static readonly string Context = typeof(TDbContext).Name;
    private static readonly TimeSpan ErrorPause = TimeSpan.FromSeconds(1);

    private readonly OutboxOptions _options = registration.Options;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var connection = new RelayConnection(store, _options);
        await using var closing = connection.ConfigureAwait(false);
        var relay = new Relay(_options, new MessageTable(connection, _options), new Sender(bus, time), time, logger);
        relay.Own(Enumerable.Range(0, _options.PartitionCount));
        registration.OwnedPartitions = [.. Enumerable.Range(0, _options.PartitionCount)];

        var waiting = new RelayWait(registration.WakeUp, relay.Answered, time);
        long? lostAt = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (bus.CheckHealth().Status == BusHealthStatus.Unhealthy)
                {
                    await waiting.For(TimeSpan.FromMilliseconds(200), stoppingToken).ConfigureAwait(false);
                    continue;
                }

                var pass = await relay.RunOnce(waiting.ShouldRead || relay.HasMore, stoppingToken).ConfigureAwait(false);
                if (lostAt is { } lost)
                    logger.DatabaseBack(Context, time.GetElapsedTime(lost));
                lostAt = null;
                waiting.After(pass);
                if (pass.Promoted == 0 && !(relay is { HasMore: true, HasRoom: true }))
                    await waiting.For(NextPass(relay), stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (DbException exception)
            {
                if (lostAt is null)
                    logger.DatabaseLost(Context, exception);
                lostAt ??= time.GetTimestamp();
                await connection.DisposeAsync().ConfigureAwait(false);
                await waiting.For(ErrorPause, stoppingToken).ConfigureAwait(false);
            }
        }
    }

    private TimeSpan NextPass(Relay relay)
    {
        var poll = _options.QueryDelay * (0.9 + (0.2 * Random.Shared.NextDouble()));
        var due = relay.NextDue - time.GetUtcNow().UtcDateTime;
        return due < poll ? TimeSpan.FromTicks(Math.Max(0, due.Value.Ticks)) : poll;
    }
}
