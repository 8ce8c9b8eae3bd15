using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Preparing;

namespace Outbox.Operating;

/// <inheritdoc cref="IHalfMessages{TDbContext}"/>
internal sealed class HalfMessages<TDbContext>(
    OutboxStore<TDbContext> store, OutboxRegistration<TDbContext> registration, DecisionInterceptor interceptor, TimeProvider time)
    : IHalfMessages<TDbContext>
    where TDbContext : DbContext
{
    private const string HowDecided = "operator";
    private const string HowDecidedAlone = "operator; the check-back was not told";

    private readonly DecisionTable _table = new(store, time);

    public async Task<IReadOnlyList<HalfMessageSummary>> List(bool undecidedOnly = true, long after = 0, int limit = 50, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1000);

        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        var rows = dbContext.Set<OutboxMessage>().Where(m => m.State == OutboxMessageState.Prepared && m.SequenceNumber > after);
        return await (undecidedOnly ? rows.Where(m => m.DueAt == null) : rows)
            .OrderBy(m => m.SequenceNumber)
            .Take(limit)
            .Select(m => new HalfMessageSummary(m.SequenceNumber, m.MessageId, m.MessageType, m.State, m.CreatedAt, m.DueAt, m.Attempts, m.LastError))
            .ToListAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<HalfMessageDetails?> Show(long sequenceNumber, CancellationToken cancellationToken = default)
    {
        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        var row = await Find(dbContext, sequenceNumber, cancellationToken).ConfigureAwait(false);
        if (row is null)
            return null;

        // What a decided row counts are sends.
        var isOpen = row.State == OutboxMessageState.Prepared;
        return new HalfMessageDetails(
            new HalfMessageSummary(
                row.SequenceNumber, row.MessageId, row.MessageType, row.State, row.CreatedAt, isOpen ? row.DueAt : null,
                isOpen ? row.Attempts : 0, row.LastError),
            HalfHistory.Read(row.History));
    }

    public Task Commit(long sequenceNumber, string by, bool tellCheckBack = true, CancellationToken cancellationToken = default)
        => Decide(sequenceNumber, CheckBackAnswer.Committed, by, tellCheckBack, cancellationToken);

    public Task Rollback(long sequenceNumber, string by, bool tellCheckBack = true, CancellationToken cancellationToken = default)
        => Decide(sequenceNumber, CheckBackAnswer.RolledBack, by, tellCheckBack, cancellationToken);

    public async Task<bool> Recheck(long sequenceNumber, string by, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        while (true)
        {
            if (await Find(dbContext, sequenceNumber, cancellationToken).ConfigureAwait(false) is not { State: OutboxMessageState.Prepared } row)
                return false;

            // A finding that is being written down meanwhile makes this look again.
            var now = time.GetUtcNow().UtcDateTime;
            var history = HalfHistory.Append(row.History, new HalfMessageEvent(now, by, HalfMessageEventKind.Rechecked));
            var changed = await dbContext.Set<OutboxMessage>()
                .Where(m => m.SequenceNumber == sequenceNumber && m.State == OutboxMessageState.Prepared && m.History == row.History)
                .ExecuteUpdateAsync(
                    set => set
                        .SetProperty(m => m.DueAt, now)
                        .SetProperty(m => m.Attempts, 0)
                        .SetProperty(m => m.Returns, 0)
                        .SetProperty(m => m.History, history),
                    cancellationToken).ConfigureAwait(false);
            if (changed > 0)
                return true;
        }
    }

    private async Task Decide(long sequenceNumber, CheckBackAnswer decision, string by, bool tellCheckBack, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        var isCommit = decision == CheckBackAnswer.Committed;
        var services = store.Open(out var dbContext);
        await using var scope = services.ConfigureAwait(false);
        var row = await Find(dbContext, sequenceNumber, cancellationToken).ConfigureAwait(false)
            ?? throw new KeyNotFoundException($"There is no half message {sequenceNumber} in the outbox of {typeof(TDbContext).Name}, or it was decided so long ago that it is forgotten.");

        // Only a decision that may be the first one changes business rows; one that comes second must not do it again.
        if (row.State == OutboxMessageState.Prepared && tellCheckBack)
        {
            services.ServiceProvider.GetRequiredService<CheckBackContext>().ReadFrom(row, registration.Options.DecisionRetention);
            await CheckBackOf(row).Tell(services.ServiceProvider, row, decision, cancellationToken).ConfigureAwait(false);
        }

        var wanted = new Decision(row.SequenceNumber, row.MessageId, isCommit, by, tellCheckBack ? HowDecided : HowDecidedAlone);
        interceptor.Of(dbContext, registration, _table).Want(wanted);
        try
        {
            await dbContext.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (HalfMessageDecidedException before) when (wanted.AgreesWith(before.Found))
        {
            // So it is decided; and what the check-back changed for it was saved by whoever was first.
        }
    }

    private CheckBack CheckBackOf(OutboxMessage row)
        => registration.Options.CheckBacks.For(row.MessageType)
            ?? throw new InvalidOperationException(
                $"Half message {row.MessageId} was expected to have a check-back to tell of the decision; found none for {row.MessageType.Split(';')[0]} in this process. "
                + "Decide it in a replica that has one, or without telling it (tellCheckBack: false).");

    private static Task<OutboxMessage?> Find(DbContext dbContext, long sequenceNumber, CancellationToken cancellationToken)
        => dbContext.Set<OutboxMessage>().AsNoTracking()
            .SingleOrDefaultAsync(m => m.SequenceNumber == sequenceNumber && m.History != null, cancellationToken);
}
