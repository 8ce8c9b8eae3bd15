using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.Databases;

/// <summary>Runs the inbox's statements on the connection, and in the transaction, of a DbContext.</summary>
internal static class Commands
{
    /// <summary>Runs a statement and returns how many rows it changed.</summary>
    public static async Task<int> Execute(this DbContext dbContext, InboxStatements statements, string sql, CancellationToken cancellationToken, params (string Name, object Value)[] parameters)
    {
        using var command = dbContext.Database.GetDbConnection().CreateCommand();
        return await dbContext.Database.ExecuteSqlRawAsync(sql, Parameters(command, statements, parameters), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs a statement and returns the values of its one column, which is named <c>Value</c>.</summary>
    public static async Task<List<T>> Query<T>(this DbContext dbContext, InboxStatements statements, string sql, CancellationToken cancellationToken, params (string Name, object Value)[] parameters)
    {
        using var command = dbContext.Database.GetDbConnection().CreateCommand();
        return await dbContext.Database.SqlQueryRaw<T>(sql, [.. Parameters(command, statements, parameters)]).ToListAsync(cancellationToken).ConfigureAwait(false);
    }

    private static IEnumerable<object> Parameters(DbCommand command, InboxStatements statements, (string Name, object Value)[] parameters)
        => parameters.Select(p =>
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = p.Name;
            parameter.Value = p.Value;
            statements.Fit(parameter);
            return parameter;
        });

    /// <summary>Whether a transaction is open that the DbContext works in: one that it began or was given, or an ambient one.</summary>
    public static bool HasTransaction(this DbContext dbContext)
        => dbContext.Database.CurrentTransaction is not null || System.Transactions.Transaction.Current is not null
            || dbContext.GetService<IDbContextTransactionManager>() is ITransactionEnlistmentManager { EnlistedTransaction: not null };

    /// <summary>
    /// Runs a unit of work by the DbContext's execution strategy, where it has one that retries. Another one is left out:
    /// it would only wrap the exceptions that a consumer throws.
    /// </summary>
    public static Task Retrying(this DbContext dbContext, Func<Task> work)
    {
        var strategy = dbContext.Database.CreateExecutionStrategy();
        return strategy.RetriesOnFailure ? strategy.ExecuteAsync(work) : work();
    }
}
