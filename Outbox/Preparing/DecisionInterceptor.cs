using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Outbox.Preparing;

/// <summary>Tells the decisions that wait for a save of a DbContext what becomes of the save.</summary>
internal sealed class DecisionInterceptor : SaveChangesInterceptor, IDbTransactionInterceptor
{
    private readonly ConditionalWeakTable<DbContext, JoinedDecisions> _joined = [];

    /// <summary>The decisions that wait for the next save of a DbContext.</summary>
    public JoinedDecisions Of(DbContext dbContext, OutboxRegistration registration, DecisionTable table)
    {
        if (Find(dbContext) is { } joined)
            return joined;
        joined = new JoinedDecisions(registration, table, dbContext.ContextId);
        _joined.AddOrUpdate(dbContext, joined);
        return joined;
    }

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Find(eventData.Context)?.Saving(eventData.Context!);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        Find(eventData.Context)?.Saving(eventData.Context!);
        return ValueTask.FromResult(result);
    }

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Find(eventData.Context)?.Saved(eventData.Context!);
        return result;
    }

    public override async ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        if (Find(eventData.Context) is { } joined)
            await joined.SavedAsync(eventData.Context!, cancellationToken).ConfigureAwait(false);
        return result;
    }

    public override void SaveChangesFailed(DbContextErrorEventData eventData) => Find(eventData.Context)?.NotSaved(eventData.Context!);

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Find(eventData.Context)?.NotSaved(eventData.Context!);
        return Task.CompletedTask;
    }

    public override void SaveChangesCanceled(DbContextEventData eventData) => Find(eventData.Context)?.NotSaved(eventData.Context!);

    public override Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default)
    {
        Find(eventData.Context)?.NotSaved(eventData.Context!);
        return Task.CompletedTask;
    }

    DbTransaction IDbTransactionInterceptor.TransactionStarted(DbConnection connection, TransactionEndEventData eventData, DbTransaction result) => Started(eventData.Context, result);

    ValueTask<DbTransaction> IDbTransactionInterceptor.TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken)
        => ValueTask.FromResult(Started(eventData.Context, result));

    DbTransaction IDbTransactionInterceptor.TransactionUsed(DbConnection connection, TransactionEventData eventData, DbTransaction result) => Started(eventData.Context, result);

    ValueTask<DbTransaction> IDbTransactionInterceptor.TransactionUsedAsync(
        DbConnection connection, TransactionEventData eventData, DbTransaction result, CancellationToken cancellationToken)
        => ValueTask.FromResult(Started(eventData.Context, result));

    InterceptionResult IDbTransactionInterceptor.TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        Find(eventData.Context)?.Committing(eventData.Context!, transaction);
        return result;
    }

    async ValueTask<InterceptionResult> IDbTransactionInterceptor.TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken)
    {
        if (Find(eventData.Context) is { } joined)
            await joined.CommittingAsync(eventData.Context!, transaction, cancellationToken).ConfigureAwait(false);
        return result;
    }

    void IDbTransactionInterceptor.TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => Find(eventData.Context)?.Committed();

    Task IDbTransactionInterceptor.TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken)
    {
        Find(eventData.Context)?.Committed();
        return Task.CompletedTask;
    }

    private DbTransaction Started(DbContext? dbContext, DbTransaction transaction)
    {
        Find(dbContext)?.Started();
        return transaction;
    }

    private JoinedDecisions? Find(DbContext? dbContext)
        => dbContext is not null && _joined.TryGetValue(dbContext, out var joined) && joined.IsOf(dbContext) ? joined : null;
}
