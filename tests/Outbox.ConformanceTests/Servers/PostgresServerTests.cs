using Microsoft.EntityFrameworkCore;
using Npgsql;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Servers;

public class PostgresServerTests
{
    [SkippableFact]
    public async Task Each_database_is_fresh_and_gone_after_its_drop()
    {
        var server = await Require.PostgresAsync();
        (await Require.PostgresAsync()).ShouldBeSameAs(server);

        var one = await server.CreateDatabaseAsync();
        var other = await server.CreateDatabaseAsync();
        await ExecuteAsync(one, "CREATE TABLE t (i int)");
        await ExecuteAsync(other, "CREATE TABLE t (i int)");

        await server.DropDatabaseAsync(one);
        await server.DropDatabaseAsync(other);

        var gone = await Should.ThrowAsync<PostgresException>(() => ExecuteAsync(one, "SELECT 1"));
        gone.SqlState.ShouldBe(PostgresErrorCodes.InvalidCatalogName);
    }

    [SkippableFact]
    public async Task A_test_database_configures_a_DbContext_and_is_dropped()
    {
        var database = await TestDatabase.PostgresAsync();
        var options = new DbContextOptionsBuilder();
        database.Configure(options);
        await using (var db = new DbContext(options.Options))
            (await db.Database.SqlQueryRaw<int>("SELECT 42 AS \"Value\"").SingleAsync()).ShouldBe(42);

        await database.DisposeAsync();

        database.Name.ShouldBe("Postgres");
        await Should.ThrowAsync<PostgresException>(() => ExecuteAsync(database.ConnectionString, "SELECT 1"));
    }

    [SkippableFact]
    public async Task A_killed_server_refuses_connections_and_comes_back_with_what_was_committed()
    {
        await using var server = await Require.PrivatePostgresAsync();
        var database = await server.CreateDatabaseAsync();
        await ExecuteAsync(database, "CREATE TABLE t (i int); INSERT INTO t VALUES (42)");

        await server.KillAsync();
        server.IsRunning.ShouldBeFalse();
        await Should.ThrowAsync<NpgsqlException>(() => ExecuteAsync(database, "SELECT 1"));

        await server.StartAsync();
        (await ExecuteAsync(database, "SELECT i FROM t")).ShouldBe(42);

        await server.RestartAsync();
        (await ExecuteAsync(database, "SELECT i FROM t")).ShouldBe(42);
    }

    [SkippableFact]
    public async Task A_private_server_takes_its_settings()
    {
        await using var server = await Require.PrivatePostgresAsync(new PostgresOptions
        {
            Fsync = false,
            MaxConnections = 17,
            Settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["application_name"] = "it is set" },
        });

        (await ExecuteAsync(server.ConnectionString, "SHOW fsync")).ShouldBe("off");
        (await ExecuteAsync(server.ConnectionString, "SHOW max_connections")).ShouldBe("17");
        (await ExecuteAsync(server.ConnectionString, "SHOW application_name")).ShouldBe("it is set");
    }

    private static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        // Without a pool: the dead connections in it would be met after a restart.
        await using var connection = new NpgsqlConnection($"{connectionString};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
