namespace Notifications;

/// <summary>Does the housekeeping every few minutes.</summary>
internal sealed partial class HousekeepingService(
    IServiceScopeFactory scopes, TimeProvider time, ILogger<HousekeepingService> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<Housekeeping>().Run(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(logger, Period, exception);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "What was kept long enough could not be deleted; the next attempt is in {Period}")]
    private static partial void Failed(ILogger logger, TimeSpan period, Exception exception);
}
