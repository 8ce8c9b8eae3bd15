using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

public sealed class SqliteRelayTests : RelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());

    [Fact]
    public async Task The_start_up_redelivery_is_made_up_for_when_its_statement_failed()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => (o.Options.KeepDelivered, o.Options.RedeliverOnStart) = (TimeSpan.FromHours(1), true), start: false);
        await Publish(host, 1);
        await Change(host, 1, m => m.SetProperty(r => r.State, OutboxMessageState.Sent));
        await Sql(host, "CREATE TRIGGER refuse BEFORE UPDATE ON OutboxMessage WHEN OLD.State = 1 BEGIN SELECT RAISE(ABORT, 'refused'); END");
        await host.StartAsync();
        await Eventually.Is(async () => await host.Query(db => db.Set<OutboxReplica>().AnyAsync()));

        await Sql(host, "DROP TRIGGER refuse");

        await Received.WaitForCount(1);
    }

    [Fact]
    public async Task A_second_process_on_the_file_waits_and_takes_over_when_the_first_ends()
    {
        await using var database = await NewDatabase();
        var first = await Start(database);
        await Publish(first, 1);
        await Received.WaitForCount(1);
        await using var second = await Start(database);

        await Publish(second, 2);
        await Received.WaitForCount(2);                     // by the first, whose file it is
        await first.DisposeAsync();

        await Publish(second, 3);
        (await Received.WaitForCount(3)).Select(m => m.Number).ShouldBe([1, 2, 3]);
    }
}
