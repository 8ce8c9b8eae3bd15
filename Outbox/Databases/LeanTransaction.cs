using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.Databases;

/// <summary>A transaction in which the savepoint that EF Core puts around a save costs no round trip.</summary>
/// <remarks>
/// EF creates it by a statement and releases it by another. The driver's own goes along with what follows it (Npgsql). And the first need
/// not be released: the commit does it, and a later one of the same name hides it. Only the first: PostgreSQL is slower with many open.
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

    public override void CreateSavepoint(string name)
    {
        var start = TimeProvider.System.GetUtcNow();
        if (!Logger.CreatingTransactionSavepoint(Connection, _transaction, TransactionId, start).IsSuppressed)
            _transaction.Save(name);
        Logger.CreatedTransactionSavepoint(Connection, _transaction, TransactionId, start);
    }

    public override async Task CreateSavepointAsync(string name, CancellationToken cancellationToken = default)
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
