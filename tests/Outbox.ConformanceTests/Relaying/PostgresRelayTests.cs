using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Outbox.Databases;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

public sealed class PostgresRelayTests : ServerRelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();

    [SkippableFact]
    public async Task The_database_may_go_and_come_back()
    {
        Skip.If(PostgresServer.MissingBinaries is not null, PostgresServer.MissingBinaries);
        await using var server = await Require.PrivatePostgresAsync(new PostgresOptions { Fsync = false });
        await using var database = await TestDatabase.PostgresAsync(server);
        await using var host = await Start(database);
        await Publish(host, 1);
        await Received.WaitForCount(1);

        await server.RestartAsync();

        await Eventually.Holds(() => Publish(host, 2));
        await Received.WaitFor(m => m.Number == 2);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        var lost = Logs.Of(1211).ShouldHaveSingleItem();
        lost.Text.ShouldBe("The relay of ShopDb expected its database to answer and got an error; it tries again until there is an answer.");
        lost.Exception.ShouldNotBeNull();
        Logs.Of(1212).ShouldHaveSingleItem().Text.ShouldStartWith("The relay of ShopDb has its database again, after ");
        Logs.Of(1206).Count().ShouldBeLessThanOrEqualTo(1);
    }

    [SkippableFact]
    public async Task A_stop_that_cannot_delete_what_was_confirmed_gives_its_partitions_back_all_the_same()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.Options.QueryTimeout = TimeSpan.FromSeconds(1), start: false);
        await Publish(host, 1);
        await using var holder = new NpgsqlConnection(database.ConnectionString);
        await holder.OpenAsync();
        await using var holding = await holder.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("""SELECT 1 FROM "OutboxMessage" FOR UPDATE""", holder, holding))
            await hold.ExecuteNonQueryAsync();
        await host.StartAsync();
        await Received.WaitForCount(1);

        await host.StopAsync();

        (await host.Query(db => db.Set<OutboxReplica>().CountAsync())).ShouldBe(0);
        (await host.Query(db => db.Set<OutboxLease>().CountAsync(l => l.Owner != null))).ShouldBe(0);
        (await host.Rows()).ShouldHaveSingleItem();
        Logs.Of(1233).ShouldHaveSingleItem();
    }

    /// <summary>In a table of millions the planner would have each read compiled, for a quarter of a second.</summary>
    [SkippableFact]
    public async Task The_relay_has_none_of_its_statements_compiled()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        await using var connection = new RelayConnection(host.Services.GetRequiredService<OutboxStore<ShopDb>>(), new OutboxOptions());

        var jit = "";
        await connection.Query("SHOW jit", _ => { }, async reader => jit = await reader.ReadAsync() ? reader.GetString(0) : "", default);

        jit.ShouldBe("off");
    }
}
