using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.Databases;

/// <summary>The database of an outbox: its dialect, known once the first DbContext was seen, and a way to a connection.</summary>
internal abstract class OutboxStore
{
    /// <summary>The statements, in the words of this database.</summary>
    public abstract SqlDialect Dialect { get; }

    /// <summary>The messages but for those that another transaction holds, where a read would wait for it.</summary>
    public async Task<IQueryable<OutboxMessage>> FreeMessages(DbContext dbContext, CancellationToken cancellationToken)
    {
        await PassLocks(dbContext, cancellationToken).ConfigureAwait(false);
        return Dialect.PassingLocks.Length == 0 ? dbContext.Set<OutboxMessage>() : dbContext.Set<OutboxMessage>().FromSqlRaw(Dialect.FreeMessages);
    }

    /// <summary>Readies a DbContext for reads that pass over locks: a pooled connection may carry an isolation level that refuses them.</summary>
    public async Task PassLocks(DbContext dbContext, CancellationToken cancellationToken)
    {
        if (Dialect.Session is not { } session)
            return;
        await dbContext.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await dbContext.Database.ExecuteSqlRawAsync(session, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A DbContext of its own, in a scope of its own.</summary>
    public abstract AsyncServiceScope Open(out DbContext dbContext);
}

/// <inheritdoc/>
internal sealed class OutboxStore<TDbContext>(IServiceScopeFactory scopes) : OutboxStore
    where TDbContext : DbContext
{
    private SqlDialect? _dialect;

    /// <inheritdoc/>
    public override SqlDialect Dialect => _dialect ?? BindFirst();

    /// <summary>The inbox's statements.</summary>
    public InboxStatements Inbox => field ??= new InboxStatements(Dialect);

    /// <summary>Recognises the database from the DbContext's provider.</summary>
    /// <exception cref="ConfigurationException">The provider is not one of those supported, or the model lacks a table.</exception>
    public SqlDialect Bind(DbContext dbContext)
    {
        var tables = new OutboxTables(dbContext);
        return _dialect = dbContext.Database.ProviderName switch
        {
            "Npgsql.EntityFrameworkCore.PostgreSQL" => new PostgresDialect(tables),
            "Microsoft.EntityFrameworkCore.Sqlite" => new SqliteDialect(tables),
            "Microsoft.EntityFrameworkCore.SqlServer" => new SqlServerDialect(tables),
            var other => throw new ConfigurationException(
                $"The outbox of {typeof(TDbContext).Name} needs PostgreSQL, SQL Server or SQLite; found the provider {other}."),
        };
    }

    /// <inheritdoc/>
    public override AsyncServiceScope Open(out DbContext dbContext)
    {
        var scope = scopes.CreateAsyncScope();
        dbContext = scope.ServiceProvider.GetRequiredService<TDbContext>();
        return scope;
    }

    private SqlDialect BindFirst()
    {
        using var scope = scopes.CreateScope();
        return Bind(scope.ServiceProvider.GetRequiredService<TDbContext>());
    }
}
