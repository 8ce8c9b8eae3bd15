using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>
/// Opens the inbox's transactions. What is passing, up to and with the first statement, counts for nothing: a lock time-out, a
/// serialization failure, a database that is away. Nothing has happened yet, so the transaction is begun again until it gets
/// through; the message stays unacknowledged meanwhile, instead of going to the error queue with all others of an outage.
/// </summary>
internal sealed class InboxTransactions<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, InboxConnections connections, TimeProvider time, ILogger<InboxMessage> logger)
    where TDbContext : DbContext
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    // Where the database has one writer at a time, waiting here costs nothing; waiting there blocks a thread.
    private readonly Lazy<SemaphoreSlim?> _writer = new(() => store.Dialect.OneWriter ? new SemaphoreSlim(1, 1) : null);

    /// <summary>Begins a transaction and runs its first statement.</summary>
    /// <returns>The transaction, or <see langword="null"/> when <paramref name="first"/> said that there is nothing to do.</returns>
    public async Task<InboxTransaction?> Begin(DbContext dbContext, Func<Task<bool>> first, CancellationToken cancellationToken)
    {
        for (var (attempt, pause) = (1, FirstPause); ; attempt++, pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            InboxTransaction? transaction = null;
            try
            {
                transaction = await Open(dbContext, cancellationToken).ConfigureAwait(false);
                if (await first().ConfigureAwait(false))
                    return transaction;

                await transaction.DisposeAsync().ConfigureAwait(false);
                return null;
            }
            catch (Exception exception)
            {
                if (transaction is not null)
                    await transaction.DisposeAsync().ConfigureAwait(false);
                // Some drivers tell of a cancellation by an exception of their own.
                cancellationToken.ThrowIfCancellationRequested();
                if (!IsPassing(exception))
                    throw;
                if (attempt == 1)
                    InboxLog.Waits(logger, typeof(TDbContext).Name, exception);
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Whether a failure is the database's and may be gone at the next try. A provider's execution strategy may have wrapped it.</summary>
    public bool IsPassing(Exception? exception)
        => exception is not null
            && ((exception is DbException failure && (store.Dialect.IsAway(failure) || store.Dialect.IsContention(failure))) || IsPassing(exception.InnerException));

    private async Task<InboxTransaction> Open(DbContext dbContext, CancellationToken cancellationToken)
    {
        var writer = _writer.Value;
        if (writer is not null)
            await writer.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // On SQLite this is BEGIN IMMEDIATE: the write lock from the start, so that no reader has to upgrade and fail.
            var transaction = await dbContext.Database.BeginTransactionAsync(registration.Options.IsolationLevel, cancellationToken).ConfigureAwait(false);
            connections.Begun(dbContext);
            if (transaction is LeanTransaction lean)
                lean.SendsAlong = true;
            return new InboxTransaction(dbContext, connections, transaction, writer, store.Dialect.CommitHidesFailure);
        }
        catch
        {
            writer?.Release();
            throw;
        }
    }
}

/// <summary>A transaction of the inbox; disposing it without a commit rolls it back.</summary>
/// <param name="dbContext">The DbContext.</param>
/// <param name="connections">Told when it ends.</param>
/// <param name="transaction">The DbContext's.</param>
/// <param name="writer">Released at the end.</param>
/// <param name="commitHidesFailure"><inheritdoc cref="SqlDialect.CommitHidesFailure" path="/summary"/></param>
internal sealed class InboxTransaction(
    DbContext dbContext, InboxConnections connections, IDbContextTransaction transaction, SemaphoreSlim? writer, bool commitHidesFailure) : IAsyncDisposable
{
    private const string BeforeActivity = "BeforeActivity";
    private const string BeforeCommit = "BeforeCommit";

    // Not to be given up half way: whoever cancelled could not know whether it was committed.
    public Task Commit() => transaction.CommitAsync(CancellationToken.None);

    /// <summary>
    /// Makes sure that a transaction in which a statement has failed is not taken for committed: here, or in <see cref="Commit"/>. A
    /// driver may send a savepoint along with what follows it, at no cost; EF's own is a statement.
    /// </summary>
    public Task Check(CancellationToken cancellationToken)
    {
        if (!commitHidesFailure)
            return Task.CompletedTask;
        return transaction.GetDbTransaction() is { SupportsSavepoints: true } own
            ? own.SaveAsync(BeforeCommit, cancellationToken)
            : transaction.CreateSavepointAsync(BeforeCommit, cancellationToken);
    }

    /// <summary>Remembers this moment for <see cref="Forget"/>.</summary>
    public Task Mark(CancellationToken cancellationToken) => transaction.CreateSavepointAsync(BeforeActivity, cancellationToken);

    /// <summary>Undoes what was done since <see cref="Mark"/>, and makes an aborted transaction usable again.</summary>
    public Task Forget(CancellationToken cancellationToken) => transaction.RollbackToSavepointAsync(BeforeActivity, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await transaction.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            connections.Ended(dbContext);
            writer?.Release();
        }
    }
}
