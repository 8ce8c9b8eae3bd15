namespace Notifications.Delivering;

/// <summary>Runs the <see cref="Sweeper"/>: when, how it waits, what happens on errors.</summary>
internal sealed class SweeperService(
    IServiceScopeFactory scopes, EndpointLanes lanes, DeliverySettings settings, DeliveryMetrics metrics, TimeProvider time, ILogger<SweeperService> logger)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // Replicas that were started together do not sweep together.
                await Task.Delay(settings.SweepPeriod * (0.9 + (0.2 * Random.Shared.NextDouble())), time, stoppingToken);
                await Sweep(stoppingToken);
                lanes.Tidy();
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                logger.SweepFailed(exception);
            }
        }
    }

    private async Task Sweep(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var sweep = await scope.ServiceProvider.GetRequiredService<Sweeper>().RunOnce(cancellationToken);
        if (sweep != default)
        {
            metrics.Swept("lapsed", sweep.Lapsed);
            metrics.Swept("overdue", sweep.Overdue);
            metrics.Swept("released", sweep.Released);
            metrics.Swept("resumed", sweep.Resumed);
            logger.Swept(sweep.Lapsed, sweep.Overdue, sweep.Released, sweep.Resumed);
        }
    }
}
