using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Outbox.Databases;

/// <summary>Asks the database once, as soon as it answers, whether something in it may leave out rows that are inserted.</summary>
internal sealed class InsertTriggers<TDbContext>(
    OutboxStore<TDbContext> store, OutboxRegistration<TDbContext> registration, TimeProvider time, ILogger<InsertTriggers<TDbContext>> logger)
    : BackgroundService
    where TDbContext : DbContext
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Once(stoppingToken).ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Until it is known, saves have transactions of their own.
                logger.InsertsNotChecked(typeof(TDbContext).Name, Pause, exception);
            }

            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task Once(CancellationToken cancellationToken)
    {
        var drops = true;
        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        if (store.Dialect.DropsInserts is { } question)
        {
            drops = await dbContext.Database.SqlQueryRaw<bool>(question).SingleAsync(cancellationToken).ConfigureAwait(false);
            if (drops)
                logger.InsertsMayBeDropped(typeof(TDbContext).Name);
        }

        registration.KeepsInserts.TrySetResult(!drops);         // a host may be started again
    }
}

internal static partial class InsertTriggersLog
{
    [LoggerMessage(1011, LogLevel.Debug, "Whether {DbContext} may insert by one round trip could not be asked; asked again after {Pause}.")]
    public static partial void InsertsNotChecked(this ILogger logger, string dbContext, TimeSpan pause, Exception exception);

    [LoggerMessage(1012, LogLevel.Information, "The database of {DbContext} has a trigger or a rule that may leave out rows, or a foreign table: a save of new rows and messages takes a round trip for its COMMIT.")]
    public static partial void InsertsMayBeDropped(this ILogger logger, string dbContext);
}
