using Microsoft.EntityFrameworkCore;
using Outbox.Databases;

namespace Outbox.Operating;

/// <inheritdoc cref="IDeadMessages{TDbContext}"/>
internal sealed class DeadMessages<TDbContext>(OutboxStore<TDbContext> store, OutboxRegistration<TDbContext> registration, TimeProvider time)
    : IDeadMessages<TDbContext>
    where TDbContext : DbContext
{
    public async Task<IReadOnlyList<DeadMessage>> List(long after = 0, int limit = 50, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1000);

        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        return await dbContext.Set<OutboxMessage>()
            .Where(m => m.State == OutboxMessageState.Dead && m.SequenceNumber > after)
            .OrderBy(m => m.SequenceNumber)
            .Take(limit)
            .Select(m => new DeadMessage(
                m.SequenceNumber, m.MessageId, m.MessageType, m.DestinationAddress, m.PartitionKey, m.Holds,
                m.Attempts, m.LastError, m.CreatedAt, m.ClosedAt, m.Size))
            .ToListAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task<int> Requeue(IReadOnlyCollection<long> sequenceNumbers, CancellationToken cancellationToken = default)
    {
        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);

        // Due at once: the promotion gives the message its place again, and releases its key if it held one.
        var requeued = await Dead(dbContext, sequenceNumbers).ExecuteUpdateAsync(
            set => set
                .SetProperty(m => m.State, OutboxMessageState.Pending)
                .SetProperty(m => m.DueAt, OutboxMessage.AtOnce)
                .SetProperty(m => m.ClosedAt, (DateTime?)null)
                .SetProperty(m => m.Attempts, 0)
                .SetProperty(m => m.Returns, 0),
            cancellationToken).ConfigureAwait(false);
        registration.WakeUp.Raise();
        return requeued;
    }

    public async Task<int> Discard(IReadOnlyCollection<long> sequenceNumbers, CancellationToken cancellationToken = default)
    {
        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);
        var now = time.GetUtcNow().UtcDateTime;
        var gone = await Dead(dbContext, sequenceNumbers).Where(m => !m.Holds && m.History == null).ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false);

        // Of a half message it is kept that it was committed: a late decision must not find it undecided, or gone.
        gone += await Dead(dbContext, sequenceNumbers).Where(m => !m.Holds).ExecuteUpdateAsync(
            set => set
                .SetProperty(m => m.State, OutboxMessageState.Committed)
                .SetProperty(m => m.ClosedAt, now)
                .SetProperty(m => m.Body, Array.Empty<byte>())
                .SetProperty(m => m.Size, 0),
            cancellationToken).ConfigureAwait(false);

        // One that holds its key goes back to the relay as expired: the relay releases the key, and deletes it unsent.
        var expired = await Dead(dbContext, sequenceNumbers).ExecuteUpdateAsync(
            set => set
                .SetProperty(m => m.State, OutboxMessageState.Pending)
                .SetProperty(m => m.DueAt, OutboxMessage.AtOnce)
                .SetProperty(m => m.ExpiresAt, OutboxMessage.AtOnce),
            cancellationToken).ConfigureAwait(false);
        registration.WakeUp.Raise();
        return gone + expired;
    }

    private static IQueryable<OutboxMessage> Dead(DbContext dbContext, IReadOnlyCollection<long> sequenceNumbers)
        => dbContext.Set<OutboxMessage>().Where(m => m.State == OutboxMessageState.Dead && sequenceNumbers.Contains(m.SequenceNumber));
}
