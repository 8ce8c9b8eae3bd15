using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.Databases;

/// <summary>A connection that is kept while it works, and opened anew after an error. One user at a time.</summary>
internal sealed class RelayConnection(OutboxStore store, OutboxOptions options) : IAsyncDisposable
{
    private AsyncServiceScope? _scope;
    private DbConnection? _connection;
    private DbTransaction? _transaction;

    public SqlDialect Dialect => store.Dialect;

    /// <summary>Whether there is a connection that works, as far as is known.</summary>
    public bool IsOpen => _connection is { State: ConnectionState.Open };

    /// <summary>Runs a statement.</summary>
    /// <returns>How many rows it changed.</returns>
    public async Task<int> Execute(string sql, Action<DbCommand> bind, CancellationToken cancellationToken)
    {
        var command = await Command(sql, bind, cancellationToken).ConfigureAwait(false);
        await using (command.ConfigureAwait(false))
            return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs statements in one round trip and reads what they return.</summary>
    public async Task Query(string sql, Action<DbCommand> bind, Func<DbDataReader, Task> read, CancellationToken cancellationToken)
    {
        var command = await Command(sql, bind, cancellationToken).ConfigureAwait(false);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
                await read(reader).ConfigureAwait(false);
        }
    }

    /// <summary>Runs statements in one transaction.</summary>
    public async Task InTransaction(Func<Task> work, CancellationToken cancellationToken)
    {
        var connection = await Open(cancellationToken).ConfigureAwait(false);
        _transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await using (_transaction.ConfigureAwait(false))
            {
                await work().ConfigureAwait(false);
                await _transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _transaction = null;
        }
    }

    /// <summary>Gives the connection up; the next statement opens another.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_scope is { } scope)
            await scope.DisposeAsync().ConfigureAwait(false);
        (_scope, _connection, _transaction) = (null, null, null);
    }

    private async ValueTask<DbCommand> Command(string sql, Action<DbCommand> bind, CancellationToken cancellationToken)
    {
        var command = (await Open(cancellationToken).ConfigureAwait(false)).CreateCommand();
        command.CommandText = sql;
        command.CommandTimeout = (int)Math.Ceiling(options.QueryTimeout.TotalSeconds);
        command.Transaction = _transaction;
        bind(command);
        foreach (DbParameter parameter in command.Parameters)
            Dialect.Fit(parameter);
        return command;
    }

    private async ValueTask<DbConnection> Open(CancellationToken cancellationToken)
    {
        if (_connection is not null)
            return _connection;

        await DisposeAsync().ConfigureAwait(false);
        _scope = store.Open(out var dbContext);
        await dbContext.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        if (Dialect.RelaySession is { } session)
            await dbContext.Database.ExecuteSqlRawAsync(session, cancellationToken).ConfigureAwait(false);
        return _connection = dbContext.Database.GetDbConnection();
    }
}
