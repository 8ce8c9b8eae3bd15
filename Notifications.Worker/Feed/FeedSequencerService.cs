namespace Notifications;

/// <summary>Runs the sequencer whenever something was committed here, and from time to time for what was committed elsewhere.</summary>
internal sealed partial class FeedSequencerService(
    IServiceScopeFactory scopes, FeedSignal signal, TimeProvider time, ILogger<FeedSequencerService> logger) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    // Under load, what is committed within this time is numbered in one go.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                var numbered = await scope.ServiceProvider.GetRequiredService<FeedSequencer>().RunOnce(stoppingToken);
                if (numbered == FeedSequencer.Batch)
                {
                    continue;
                }

                await Task.Delay(Pause, time, stoppingToken);
                await signal.WaitForWork(Look, time, stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(logger, Look, exception);
                await Task.Delay(Look, time, stoppingToken);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Notifications could not be put into the feed; the next attempt is in {Period}")]
    private static partial void Failed(ILogger logger, TimeSpan period, Exception exception);
}
