using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Outbox.Testing;

/// <summary>A fresh, empty database that a suite runs against without knowing which kind it is.</summary>
public abstract class TestDatabase : IAsyncDisposable
{
    /// <summary>The kind: <c>Sqlite</c>, <c>Postgres</c>, <c>SqlServer</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Connects to the database.</summary>
    public abstract string ConnectionString { get; }

    /// <summary>A new SQLite file.</summary>
    public static TestDatabase Sqlite() => new SqliteTestDatabase();

    /// <summary>A new database on the shared PostgreSQL server; skips the test where there is none (<see cref="Require"/>).</summary>
    public static async Task<TestDatabase> PostgresAsync() => await PostgresTestDatabase.CreateAsync(await Require.PostgresAsync());

    /// <summary>A new database on that PostgreSQL server, for tests that stop or kill it.</summary>
    public static async Task<TestDatabase> PostgresAsync(PostgresServer server) => await PostgresTestDatabase.CreateAsync(server);

    /// <summary>
    /// A new database on the SQL Server that <c>OUTBOX_SQLSERVER</c> names; without one the test is skipped, also with
    /// <c>CI=true</c>: no machine is expected to have it. <c>OUTBOX_SQLSERVER_MAXBATCH=1</c> sends one row a command, for
    /// servers that lack <c>MERGE</c>.
    /// </summary>
    public static async Task<TestDatabase> SqlServerAsync()
    {
        Skip.If(SqlServerTestDatabase.Missing is not null, SqlServerTestDatabase.Missing);
        return await SqlServerTestDatabase.CreateAsync();
    }

    /// <summary>SQL Server as far as it goes without a server: its model and its statements.</summary>
    public static TestDatabase SqlServerNowhere() => SqlServerTestDatabase.Nowhere();

    /// <summary>Points a DbContext at the database.</summary>
    public abstract void Configure(DbContextOptionsBuilder options);

    /// <summary>Drops the database.</summary>
    public abstract ValueTask DisposeAsync();
}
