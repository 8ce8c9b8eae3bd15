using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Relaying;
using Outbox.Telemetry;

namespace Outbox.Checking;

/// <summary>Owns the loop of the check-backs: when they look, what happens on errors, how they stop. The relay has its own.</summary>
internal sealed class CheckBackService<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, DecisionInterceptor interceptor, TimeProvider time,
    ILogger<CheckBackService<TDbContext>> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    private static readonly string Context = typeof(TDbContext).Name;
    private static readonly TimeSpan RarePeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var rounds = new CheckRounds(registration, store, interceptor, time, logger);
        var cleanUp = new DecisionCleanUp(registration, store, time, logger);
        var outage = new Outage(time);

        // Where nothing is ever prepared the table is looked at rarely: for the rows of another replica's, or another version's.
        var period = registration.Options.CheckBacks.Any ? registration.Options.QueryDelay : RarePeriod;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(period * (0.9 + (0.2 * Random.Shared.NextDouble())), time, stoppingToken).ConfigureAwait(false);
                await rounds.RunOnce(stoppingToken).ConfigureAwait(false);
                await cleanUp.RunWhenDue(stoppingToken).ConfigureAwait(false);
                outage.Ended();
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception exception)
            {
                if (outage.Begin())
                    logger.ChecksFailed(Context, exception);
            }
        }

        try
        {
            await rounds.Stop(StopLimit).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            logger.ChecksLeft(Context, StopLimit);
        }
    }
}
