using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

public sealed class SqliteRelayTests : RelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());

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
