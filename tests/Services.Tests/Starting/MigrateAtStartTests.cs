using MassTransit;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Outbox.Testing;
using Users;

namespace Services.Tests;

[Collection(ProcessTests.Name)]
public sealed class MigrateAtStartTests
{
    private const string Ready = "/health/ready";

    [Fact]
    public async Task A_lock_that_a_killed_process_left_does_not_stop_the_next_start()
    {
        await using var database = TestDatabase.Sqlite();
        await using (var before = new ServiceApp<UsersDb>(database))
        {
            await before.InDb(db => db.Database.ExecuteSqlRawAsync(
                """INSERT INTO "__EFMigrationsLock" VALUES (1, '2026-01-01 00:00:00')"""));
        }

        await using var after = new ServiceApp<UsersDb>(database);
        (await Task.Run(() => after.CreateClient()).WaitAsync(Eventually.Limit, TimeProvider.System))
            .ShouldNotBeNull();
    }

    [Fact]
    public async Task Two_processes_that_start_at_once_on_a_new_file_both_start()
    {
        await using var database = TestDatabase.Sqlite();

        await StartTogether(database.ConnectionString, nameof(ServiceDefaults.DatabaseProvider.Sqlite));
    }

    [SkippableFact]
    public async Task Two_replicas_that_start_at_once_create_the_database_that_is_missing()
    {
        var server = await Require.PostgresAsync();
        var missing = new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = $"users_{NewId.NextGuid():N}" };
        try
        {
            await StartTogether(missing.ConnectionString, nameof(ServiceDefaults.DatabaseProvider.Postgres));
        }
        finally
        {
            await server.DropDatabaseAsync(missing.ConnectionString);
        }
    }

    [SkippableFact]
    public async Task A_replica_waits_for_the_one_that_is_migrating()
    {
        const string advisory = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND datname = current_database()";
        await using var database = await TestDatabase.PostgresAsync();
        await using var other = new NpgsqlConnection(database.ConnectionString);
        await other.OpenAsync();
        var migrating = await other.BeginTransactionAsync();
        await Ask<object?>(other, "SELECT pg_advisory_xact_lock(x'4F7574626F78'::bigint)");
        await using var service = new ServiceApp<UsersDb>(database);

        var starting = Task.Run(service.CreateClient);
        await Eventually.Is(async () => await Ask<long>(other, $"{advisory} AND NOT granted") == 1);
        (await Ask<bool>(other, """SELECT to_regclass('"User"') IS NOT NULL""")).ShouldBeFalse();
        starting.IsCompleted.ShouldBeFalse();
        await migrating.DisposeAsync();

        (await starting.WaitAsync(Eventually.Limit, TimeProvider.System)).Dispose();
        (await Ask<bool>(other, """SELECT to_regclass('"User"') IS NOT NULL""")).ShouldBeTrue();
        (await Ask<long>(other, advisory)).ShouldBe(0);
    }

    // An upgrade: more than one migration, none of which may be begun twice.
    [SkippableFact]
    public async Task Many_replicas_that_start_at_once_migrate_one_after_the_other()
    {
        await using var database = await TestDatabase.PostgresAsync();
        var replicas = Enumerable.Range(0, 6).Select(_ => new ServiceApp<UsersDb>(database)).ToList();
        try
        {
            var clients = await Task.WhenAll(replicas.Select(replica => Task.Run(replica.CreateClient)));

            clients.Length.ShouldBe(6);
            (await replicas[0].InDb(db => db.Database.GetPendingMigrationsAsync())).ShouldBeEmpty();
        }
        finally
        {
            await Task.WhenAll(replicas.Select(replica => replica.DisposeAsync().AsTask()));
        }
    }

    private static async Task<T> Ask<T>(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    private static async Task StartTogether(string connectionString, string provider)
    {
        await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            var address = $"http://localhost:{FreePort.Next()}";
            await using var service = ServiceProcess.Start(
                ServiceProcess.AssemblyOf("Users.Api"),
                new Dictionary<string, string?>(StringComparer.Ordinal)
                {
                    ["Database__Provider"] = provider,
                    ["ConnectionStrings__Users"] = connectionString,
                    ["ASPNETCORE_URLS"] = address,
                });
            await service.WaitForHealthAsync(new Uri(address + Ready));
        }));
    }
}
