using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Users;

/// <summary>Forgets answers whose day is over, in batches so small that no request waits for them.</summary>
public sealed class ExpiredAnswers(UsersDb db, TimeProvider time)
{
    internal const int Batch = 500;

    /// <summary>Deletes all that have expired.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> Delete(CancellationToken cancellationToken)
    {
        var now = time.UtcNow();
        var total = 0;
        int deleted;
        do
        {
            deleted = await db.StoredAnswers
                .Where(a => db.StoredAnswers
                    .Where(e => e.ExpiresAt <= now).OrderBy(e => e.ExpiresAt).Take(Batch).Select(e => e.Key)
                    .Contains(a.Key))
                .ExecuteDeleteAsync(cancellationToken);
            total += deleted;
        }
        while (deleted == Batch);
        return total;
    }
}

/// <summary>Does it every few minutes.</summary>
internal sealed partial class ExpiredAnswersService(
    IServiceScopeFactory scopes, TimeProvider time, ILogger<ExpiredAnswersService> logger) : BackgroundService
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
                await scope.ServiceProvider.GetRequiredService<ExpiredAnswers>().Delete(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(logger, Period, exception);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Expired answers could not be deleted; the next attempt is in {Period}")]
    private static partial void Failed(ILogger logger, TimeSpan period, Exception exception);
}
