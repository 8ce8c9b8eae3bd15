using System.Data.Common;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Outbox.Databases;

namespace Outbox.Preparing;

/// <summary>Makes decisions about half messages on the connection, and in the transaction, of a DbContext.</summary>
internal sealed class DecisionTable(OutboxStore store, TimeProvider time)
{
    private HalfStatements Sql => field ??= new HalfStatements(store.Dialect);

    /// <summary>Makes decisions in the transaction that is open.</summary>
    /// <exception cref="HalfMessageDecidedException">One contradicts what was decided before.</exception>
    public void Apply(DbContext dbContext, IEnumerable<Decision> decisions)
    {
        foreach (var decision in InOrder(decisions))
        {
            using var decide = Decide(dbContext, decision);
            if (decide.ExecuteNonQuery() == 1)
                continue;
            using var find = Find(dbContext, decision);
            decision.MustAgreeWith(State(find.ExecuteScalar()));
        }
    }

    /// <inheritdoc cref="Apply"/>
    public async Task ApplyAsync(DbContext dbContext, IEnumerable<Decision> decisions, CancellationToken cancellationToken)
    {
        foreach (var decision in InOrder(decisions))
        {
            var decide = Decide(dbContext, decision);
            await using (decide.ConfigureAwait(false))
            {
                if (await decide.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1)
                    continue;
            }

            var find = Find(dbContext, decision);
            await using (find.ConfigureAwait(false))
                decision.MustAgreeWith(State(await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false)));
        }
    }

    /// <summary>Makes decisions in a transaction of their own.</summary>
    public void ApplyAlone(DbContext dbContext, IReadOnlyCollection<Decision> decisions)
        => dbContext.Database.CreateExecutionStrategy().Execute(() =>
        {
            using var transaction = dbContext.Database.BeginTransaction();
            Apply(dbContext, decisions);
            transaction.Commit();
        });

    /// <inheritdoc cref="ApplyAlone(DbContext, IReadOnlyCollection{Decision})"/>
    public Task ApplyAloneAsync(DbContext dbContext, IReadOnlyCollection<Decision> decisions, CancellationToken cancellationToken)
        => dbContext.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            var transaction = await dbContext.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                await ApplyAsync(dbContext, decisions, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        });

    // Always in the same order: two that decide about the same rows cannot wait for each other.
    private static IEnumerable<Decision> InOrder(IEnumerable<Decision> decisions) => decisions.OrderBy(d => d.SequenceNumber);

    private static OutboxMessageState? State(object? value)
        => value is null or DBNull ? null : (OutboxMessageState)Convert.ToInt32(value, CultureInfo.InvariantCulture);

    private DbCommand Decide(DbContext dbContext, Decision decision)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return Command(dbContext, decision.IsCommit ? Sql.Commit : Sql.Rollback, command =>
        {
            command.Add("id", decision.SequenceNumber).Add("entry", HalfHistory.Line(decision.Event(now)));
            if (decision.IsCommit)
                command.Add("due", OutboxMessage.AtOnce);
            else
                command.Add("now", now).Add("empty", Array.Empty<byte>());
        });
    }

    private DbCommand Find(DbContext dbContext, Decision decision)
        => Command(dbContext, Sql.Find, command => command.Add("id", decision.SequenceNumber));

    private DbCommand Command(DbContext dbContext, string sql, Action<DbCommand> bind)
    {
        var command = dbContext.Database.GetDbConnection().CreateCommand();
        command.CommandText = sql;
        command.Transaction = dbContext.Database.CurrentTransaction?.GetDbTransaction();
        bind(command);
        foreach (DbParameter parameter in command.Parameters)
            store.Dialect.Fit(parameter);
        return command;
    }
}
