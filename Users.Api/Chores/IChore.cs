namespace Users;

/// <summary>Work that has to be done now and then. Made anew, in a scope of its own, each time; every replica does it.</summary>
internal interface IChore
{
    /// <summary>The pause between two times.</summary>
    static abstract TimeSpan Period { get; }

    /// <summary>Does it once. What fails is logged, and tried again after the pause.</summary>
    Task Do(CancellationToken cancellationToken);
}

/// <summary>Does a chore again and again.</summary>
internal sealed partial class ChoreService<TChore>(
    IServiceScopeFactory scopes, TimeProvider time, ILogger<ChoreService<TChore>> logger) : BackgroundService
    where TChore : IChore
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TChore.Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<TChore>().Do(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(logger, typeof(TChore).Name, TChore.Period, exception);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Chore} failed; the next attempt is in {Period}")]
    private static partial void Failed(ILogger logger, string chore, TimeSpan period, Exception exception);
}
