using Microsoft.EntityFrameworkCore;
using Outbox.Databases;

namespace Outbox.Operating;

/// <inheritdoc cref="IOutboxStatistics{TDbContext}"/>
internal sealed class OutboxStatisticsQuery<TDbContext>(OutboxStore<TDbContext> store) : IOutboxStatistics<TDbContext>
    where TDbContext : DbContext
{
    public async Task<OutboxStatistics> Get(CancellationToken cancellationToken = default)
    {
        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        await store.PassLocks(dbContext, cancellationToken).ConfigureAwait(false);
        var row = await dbContext.Database.SqlQueryRaw<Row>(store.Dialect.Statistics)
            .SingleAsync(cancellationToken).ConfigureAwait(false);
        return new OutboxStatistics(
            row.Ready, row.Waiting, row.Holding, row.Dead, Utc(row.OldestReadyAt), row.Prepared, row.Undecided, Utc(row.OldestPreparedAt));
    }

    private static DateTime? Utc(DateTime? time) => time is { } known ? DateTime.SpecifyKind(known, DateTimeKind.Utc) : null;

    private sealed record Row(
        int Ready, int Waiting, int Holding, int Dead, DateTime? OldestReadyAt, int Prepared, int Undecided, DateTime? OldestPreparedAt);
}
