using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>Deletes the inbox's expired rows, about once a minute.</summary>
/// <remarks>
/// Where the transport forgets, a start sends again what was kept, however long the process was down; the inbox must know
/// it then. So a row stays while any outbox of the process keeps a message that is as old as its consumption, and nothing
/// is deleted before the start-up redelivery has drained. No clock is asked how long the process ran.
/// </remarks>
internal sealed class InboxCleanUp<TDbContext>(
    OutboxRegistration<TDbContext> registration, IEnumerable<OutboxRegistration> registrations, IEnumerable<KeptMessages> outboxes,
    OutboxStore<TDbContext> store, TimeProvider time, ILogger<InboxMessage> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    /// <summary>The most rows one statement deletes, so that none holds its locks for long.</summary>
    internal const int BatchSize = 1000;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>Deletes what has expired, batch by batch.</summary>
    /// <returns>How many rows were deleted.</returns>
    public async Task<int> RunOnce(CancellationToken cancellationToken)
    {
        // The messages of this inbox may come from any of the outboxes.
        if (!registrations.All(r => r.StartUpRedelivery.Task.IsCompleted))
            return 0;

        var expired = await ExpiredBefore(cancellationToken).ConfigureAwait(false);
        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            var total = 0;
            int deleted;
            do
            {
                deleted = await dbContext.Execute(store.Inbox, store.Inbox.CleanUp, cancellationToken, ("now", expired), ("limit", BatchSize)).ConfigureAwait(false);
                total += deleted;
            }
            while (deleted == BatchSize);
            return total;
        }
    }

    private async Task<DateTime> ExpiredBefore(CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow().UtcDateTime;
        foreach (var outbox in outboxes)
        {
            // A message is captured before it is consumed, and a row expires a window after the consumption: one that
            // expires before this has no kept message any more.
            if (await outbox.OldestKept(cancellationToken).ConfigureAwait(false) is { } oldest && oldest + registration.Options.DuplicateDetectionWindow < before)
                before = oldest + registration.Options.DuplicateDetectionWindow;
        }

        return before;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!store.Dialect.Tables.HasInbox)
            return;

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
