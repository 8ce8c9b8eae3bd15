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
    }
}
