using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>
/// Opens the inbox's transactions. A lock time-out or a serialization failure of the first statement counts for nothing:
/// nothing has happened yet, so the transaction is begun again until it gets through.
/// </summary>
internal sealed class InboxTransactions<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, TimeProvider time, ILogger<InboxMessage> logger)
    where TDbContext : DbContext
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    // Where the database has one writer at a time, waiting here costs nothing; waiting there blocks a thread.
    private readonly Lazy<SemaphoreSlim?> _writer = new(() => store.Dialect.OneWriter ? new SemaphoreSlim(1, 1) : null);

    /// <summary>Begins a transaction and runs its first statement.</summary>
    /// <returns>The transaction, or <see langword="null"/> when <paramref name="first"/> said that there is nothing to do.</returns>
    public async Task<InboxTransaction?> Begin(DbContext dbContext, Func<Task<bool>> first, CancellationToken cancellationToken)
    {
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
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
                if (!IsContention(exception))
                    throw;
                InboxLog.Contention(logger, typeof(TDbContext).Name, pause, exception);
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<InboxTransaction> Open(DbContext dbContext, CancellationToken cancellationToken)
    {
        var writer = _writer.Value;
        if (writer is not null)
            await writer.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // On SQLite this is BEGIN IMMEDIATE: the write lock from the start, so that no reader has to upgrade and fail.
            var transaction = await dbContext.Database.BeginTransactionAsync(registration.Options.IsolationLevel, cancellationToken).ConfigureAwait(false);
            return new InboxTransaction(transaction, writer);
        }
        catch
        {
            writer?.Release();
            throw;
        }
    }

    // A provider's execution strategy may have wrapped what the driver threw.
    private bool IsContention(Exception? exception)
        => exception is not null && ((exception is DbException failure && store.Dialect.IsContention(failure)) || IsContention(exception.InnerException));
}

/// <summary>A transaction of the inbox; disposing it without a commit rolls it back.</summary>
internal sealed class InboxTransaction(IDbContextTransaction transaction, SemaphoreSlim? writer) : IAsyncDisposable
{
    private const string BeforeActivity = "BeforeActivity";

    // Not to be given up half way: whoever cancelled could not know whether it was committed.
    public Task Commit() => transaction.CommitAsync(CancellationToken.None);

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
            writer?.Release();
        }
    }
}
