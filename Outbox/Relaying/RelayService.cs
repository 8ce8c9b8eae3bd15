using System.Data.Common;
using MassTransit;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>
/// Owns the two loops of a relay, the beat and the passes: when they run, how they wait, what happens on errors, how
/// they stop.
/// </summary>
internal sealed class RelayService<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, IBusControl bus, IEnumerable<IBusInstance> instances, TimeProvider time,
    ILogger<RelayService<TDbContext>> logger)
    : BackgroundService, IHostedLifecycleService
    where TDbContext : DbContext
{
    private static readonly string Context = typeof(TDbContext).Name;
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(10);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Stops before any other service does: the bus is still there for what is on its way.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var parts = new RelayParts(registration, store, bus, bus.HostOf(instances), time, logger);
        using var ending = new CancellationTokenSource();
        var beating = Beat(parts.Membership, ending.Token);
        try
        {
            await RelayUntil(parts, stoppingToken).ConfigureAwait(false);
            await Farewell(parts).ConfigureAwait(false);
        }
        catch (ConfigurationException exception)
        {
            logger.CannotRelay(Context, exception.Message);
            throw;
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            await beating.ConfigureAwait(false);
            await parts.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task RelayUntil(RelayParts parts, CancellationToken stoppingToken)
    {
        var (errors, surprises) = (new Outage(time), new Outage(time));
        var look = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // After an error the beat comes first: without it nothing may be sent.
                if (errors.IsGoingOn || surprises.IsGoingOn)
                    await parts.Membership.BeatOnce(stoppingToken).ConfigureAwait(false);
                var pass = await parts.Relay.RunOnce(look, stoppingToken).ConfigureAwait(false);
                if (errors.Ended() is { } outage)
                    logger.DatabaseBack(Context, outage);
                surprises.Ended();
                look = await parts.Signals.Wait(pass.Pause, stoppingToken).ConfigureAwait(false);
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is not ConfigurationException)
            {
                if (IsOfDatabase(exception) ? errors.Begin() : surprises.Begin())
                    Report(exception);
                await parts.Connection.DisposeAsync().ConfigureAwait(false);
                parts.Relay.Reconnected();
                look = true;
                await parts.Signals.Pause(RetryPause, stoppingToken).ConfigureAwait(false);
            }
        }
    }

    private void Report(Exception exception)
    {
        if (IsOfDatabase(exception))
            logger.DatabaseLost(Context, exception);
        else
            logger.Unexpected(Context, exception);
    }

    /// <summary>A retrying execution strategy wraps what the driver throws.</summary>
    private static bool IsOfDatabase(Exception? exception)
        => exception is DbException || (exception?.InnerException is { } cause && IsOfDatabase(cause));

    /// <summary>The beat has a loop and a connection of its own: no slow read and no long delete keeps it waiting.</summary>
    private async Task Beat(Membership membership, CancellationToken ending)
    {
        var errors = new Outage(time);
        var pause = registration.Options.BeatPeriod;
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(pause, time, ending).ConfigureAwait(false);
                await membership.BeatOnce(ending).ConfigureAwait(false);
                errors.Ended();
                pause = membership.UntilNextBeat;
            }
            catch (Exception) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                if (errors.Begin())
                    logger.CannotBeat(Context, exception);
                pause = RetryPause < registration.Options.BeatPeriod ? RetryPause : registration.Options.BeatPeriod;
            }
        }
    }

    private async Task Farewell(RelayParts parts)
    {
        using var limit = new CancellationTokenSource(2 * StopLimit, time);
        try
        {
            // The stop may have interrupted a statement.
            await parts.Connection.DisposeAsync().ConfigureAwait(false);
            await parts.Relay.Stop(StopLimit, limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            logger.NotReleased(Context, exception);
        }
    }
}
