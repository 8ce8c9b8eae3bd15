using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What becomes of a message that cannot be sent, and of those behind it.</summary>
public abstract class FailingSendSuite : RelayingShop
{
    [SkippableFact]
    public async Task A_held_key_waits_and_no_other_and_goes_on_in_order_when_it_is_released()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.PartitionBy<OrderPlaced>(m => m.Customer), start: false);
        await Publish(host, 1, "held");
        await Change(host, 1, m => m.SetProperty(r => r.DueAt, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1)).SetProperty(r => r.Holds, true));
        await Publish(host, 2, "held");
        await Publish(host, 3, "free");
        await Publish(host, 4, "held");

        await host.StartAsync();
        (await Received.WaitForCount(1)).Select(m => m.Number).ShouldBe([3]);
        await Eventually.Is(async () => (await host.Rows()).Count == 3);
        await Publish(host, 5, "free");
        (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([3, 5]);

        await Change(host, 1, m => m.SetProperty(r => r.DueAt, DateTime.UnixEpoch));

        (await Received.WaitForCount(5)).Select(m => m.Number).ShouldBe([3, 5, 1, 2, 4]);
    }

    [SkippableFact]
    public async Task A_body_that_cannot_be_sent_harms_no_other_and_is_dead_in_the_end()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => (o.Options.MaxAttempts, o.Options.MinRetryDelay) = (3, TimeSpan.FromMilliseconds(10)), start: false);
        await Publish(host, 1);
        await Change(host, 1, m => m.SetProperty(r => r.Metadata, "{ not json"));
        await Publish(host, 2);

        await host.StartAsync();

        (await Received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(2);
        await Eventually.Is(async () => (await host.Rows()).SingleOrDefault()?.State == OutboxMessageState.Dead);
        var dead = (await host.Rows()).Single();
        dead.Attempts.ShouldBe(3);
        dead.LastError.ShouldStartWith("JsonException");
        dead.ClosedAt.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task A_dead_message_that_is_requeued_is_sent()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, start: false);
        await Publish(host, 1);
        await Change(host, 1, m => m.SetProperty(r => r.State, OutboxMessageState.Dead).SetProperty(r => r.Holds, true));
        await host.StartAsync();

        (await host.Services.GetRequiredService<IDeadMessages<ShopDb>>().Requeue([(await host.Rows()).Single().SequenceNumber])).ShouldBe(1);

        await Received.WaitForCount(1);
    }

    [SkippableFact]
    public async Task A_dead_message_holds_its_key_if_told_to_until_it_is_discarded()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o =>
        {
            o.PartitionBy<OrderPlaced>(m => m.Customer);
            (o.Options.MaxAttempts, o.Options.HoldKeyWhenDead) = (1, true);
        }, start: false);
        await Publish(host, 1, "ann");
        await Publish(host, 2, "ann");
        await Publish(host, 3, "bob");
        await Change(host, 1, m => m.SetProperty(r => r.Metadata, "{ not json"));

        await host.StartAsync();

        await Received.WaitForCount(1);
        await Eventually.Is(async () => await host.Rows() is [{ State: OutboxMessageState.Dead, Holds: true }, { State: OutboxMessageState.Pending }]);
        var dead = (await host.Rows())[0].SequenceNumber;
        (await host.Services.GetRequiredService<IDeadMessages<ShopDb>>().Discard([dead])).ShouldBe(1);

        (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([3, 2]);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
    }
}

public sealed class SqliteFailingSendTests : FailingSendSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresFailingSendTests : FailingSendSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerFailingSendTests : FailingSendSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
