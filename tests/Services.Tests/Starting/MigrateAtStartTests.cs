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
