using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.Databases;

/// <summary>A transaction in which the savepoint that EF Core puts around a save costs fewer round trips, or none.</summary>
/// <remarks>
/// EF creates it by a statement and releases it by another. The first need not be released: the commit does it, and a later one of the same
/// name hides it. Only the first: PostgreSQL is slower with many open.
/// </remarks>
internal sealed class LeanTransaction(
    IRelationalConnection connection, DbTransaction transaction, Guid transactionId, IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
    bool transactionOwned, ISqlGenerationHelper sql)
    : RelationalTransaction(connection, transaction, transactionId, logger, transactionOwned, sql)
{
    // Around a save. Others are the application's.
    private const string OfSave = "__EFSavePoint";

    private readonly DbTransaction _transaction = transaction;

    private bool _isOneOpen;

    /// <summary>
    /// Has savepoints go along with what follows them, as the driver's own do (Npgsql). In a transaction that has failed before that ends the
    /// connection, so it is only for who never lets the DbContext have another one (<see cref="Receiving.InboxConnections"/>).
    /// </summary>
    public bool SendsAlong { get; set; }

    public override void CreateSavepoint(string name)
    {
        if (!SendsAlong || name != OfSave)
        {
            base.CreateSavepoint(name);
            return;
        }

        var start = TimeProvider.System.GetUtcNow();
        if (!Logger.CreatingTransactionSavepoint(Connection, _transaction, TransactionId, start).IsSuppressed)
            _transaction.Save(name);
        Logger.CreatedTransactionSavepoint(Connection, _transaction, TransactionId, start);
    }

    public override Task CreateSavepointAsync(string name, CancellationToken cancellationToken = default)
        => SendsAlong && name == OfSave ? SendAlong(name, cancellationToken) : base.CreateSavepointAsync(name, cancellationToken);

    private async Task SendAlong(string name, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetUtcNow();
        if (!(await Logger.CreatingTransactionSavepointAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false)).IsSuppressed)
            await _transaction.SaveAsync(name, cancellationToken).ConfigureAwait(false);
        await Logger.CreatedTransactionSavepointAsync(Connection, _transaction, TransactionId, start, cancellationToken).ConfigureAwait(false);
    }

    public override void ReleaseSavepoint(string name)
    {
        if (!IsLeftToCommit(name))
            base.ReleaseSavepoint(name);
    }

    public override Task ReleaseSavepointAsync(string name, CancellationToken cancellationToken = default)
        => IsLeftToCommit(name) ? Task.CompletedTask : base.ReleaseSavepointAsync(name, cancellationToken);

    private bool IsLeftToCommit(string name)
    {
        if (_isOneOpen || name != OfSave)
            return false;
        return _isOneOpen = true;
    }
}

/// <inheritdoc cref="LeanTransaction"/>
internal sealed class LeanTransactionFactory(RelationalTransactionFactoryDependencies dependencies) : RelationalTransactionFactory(dependencies)
{
    public override RelationalTransaction Create(
        IRelationalConnection connection, DbTransaction transaction, Guid transactionId, IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger, bool transactionOwned)
        => new LeanTransaction(connection, transaction, transactionId, logger, transactionOwned, Dependencies.SqlGenerationHelper);
}
