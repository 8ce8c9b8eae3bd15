using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>Deletes the inbox's expired rows, about once a minute.</summary>
internal sealed class InboxCleanUp<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, TimeProvider time, ILogger<InboxMessage> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    /// <summary>The most rows one statement deletes, so that none holds its locks for long.</summary>
    internal const int BatchSize = 1000;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private readonly long _started = time.GetTimestamp();

    /// <summary>
    /// Whether rows may be deleted yet. What was kept is sent again at the start, however long the process was down, and
    /// must meet its inbox rows then: the time that they count is the time the process runs. A row of this run expires a
    /// window after its start at the earliest, so waiting a window for the older ones holds back no other.
    /// </summary>
    internal bool MayBegin
        => registration.StartUpRedelivery.Task.IsCompleted
            && (!registration.Options.RedeliverOnStart || time.GetElapsedTime(_started) >= registration.Options.DuplicateDetectionWindow);

    /// <summary>Deletes what has expired, batch by batch.</summary>
    /// <returns>How many rows were deleted.</returns>
    public async Task<int> RunOnce(CancellationToken cancellationToken)
    {
        if (!MayBegin)
            return 0;

        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            var total = 0;
            int deleted;
            do
            {
                deleted = await dbContext.Execute(
                    store.Inbox.CleanUp, cancellationToken, ("now", time.GetUtcNow().UtcDateTime), ("limit", BatchSize)).ConfigureAwait(false);
                total += deleted;
            }
            while (deleted == BatchSize);
            return total;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A random part of the period first: the replicas then do not all come at once.
        var pause = Period * Random.Shared.NextDouble();
        while (true)
        {
            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(false);
            pause = Period * (0.8 + (0.4 * Random.Shared.NextDouble()));
            try
            {
                var deleted = await RunOnce(stoppingToken).ConfigureAwait(false);
                if (deleted > 0)
                    InboxLog.CleanedUp(logger, deleted, typeof(TDbContext).Name);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                InboxLog.CleanUpFailed(logger, typeof(TDbContext).Name, pause, exception);
            }
        }
    }
}
