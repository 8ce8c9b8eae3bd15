using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Operating;

/// <summary>What an operator sees of an outbox and does with its dead messages.</summary>
public abstract class OperatingSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Counts_are_by_state_and_the_age_is_that_of_the_oldest_ready_message()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        var oldest = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        await Store(host,
            Message(m => m.CreatedAt = oldest.AddHours(1)),
            Message(m => (m.CreatedAt, m.Partition) = (oldest, 7)),
            Message(m => (m.CreatedAt, m.DueAt) = (oldest.AddHours(-1), oldest.AddDays(1))),
            Message(m => (m.DueAt, m.Holds, m.Attempts) = (oldest.AddDays(1), true, 3)),
            Message(m => m.State = OutboxMessageState.Dead),
            Message(m => m.State = OutboxMessageState.Sent));
        await host.InScope(async (db, _) =>
        {
            db.AddRange(Enumerable.Range(0, 16).Select(p => new OutboxLease { Partition = p }));
            await db.SaveChangesAsync();
        });

        var statistics = await host.Services.GetRequiredService<IOutboxStatistics<ShopDb>>().Get();

        statistics.ShouldBe(new OutboxStatistics(Ready: 2, Waiting: 2, Holding: 1, Dead: 1, OldestReadyAt: oldest));
        statistics.OldestReadyAt!.Value.Kind.ShouldBe(DateTimeKind.Utc);
    }

    [SkippableFact]
    public async Task An_empty_outbox_counts_nothing()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());

        (await host.Services.GetRequiredService<IOutboxStatistics<ShopDb>>().Get()).ShouldBe(new OutboxStatistics(0, 0, 0, 0, null));
    }

    [SkippableFact]
    public async Task Dead_messages_are_listed_page_by_page()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        await Store(host, Message(), Dead(), Dead(), Dead());
        var dead = host.Services.GetRequiredService<IDeadMessages<ShopDb>>();

        var first = await dead.List(limit: 2);
        var second = await dead.List(after: first[^1].SequenceNumber, limit: 2);

        first.Count.ShouldBe(2);
        first[0].LastError.ShouldBe("The broker refused it.");
        first[0].Attempts.ShouldBe(10);
        second.ShouldHaveSingleItem().SequenceNumber.ShouldBeGreaterThan(first[1].SequenceNumber);
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => dead.List(limit: 0));
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => dead.List(limit: 1001));
    }

    [SkippableFact]
    public async Task Requeueing_touches_dead_messages_only_and_only_once()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        await Store(host, Message(m => m.Attempts = 4), Dead(), Dead());
        var numbers = (await host.Rows()).Take(2).Select(r => r.SequenceNumber).ToArray();
        var dead = host.Services.GetRequiredService<IDeadMessages<ShopDb>>();

        (await dead.Requeue(numbers)).ShouldBe(1);
        (await dead.Requeue(numbers)).ShouldBe(0);

        var rows = await host.Rows();
        rows.Select(r => r.State).ShouldBe([OutboxMessageState.Pending, OutboxMessageState.Pending, OutboxMessageState.Dead]);
        rows[0].Attempts.ShouldBe(4);
        rows[1].Attempts.ShouldBe(0);
        rows[1].DueAt.ShouldBe(DateTime.UnixEpoch);         // by every replica's clock, not only by the operator's
        rows[1].ClosedAt.ShouldBeNull();
    }

    [SkippableFact]
    public async Task Discarding_deletes_a_dead_message_and_gives_one_that_holds_its_key_back_as_expired()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        await Store(host, Message(), Dead(), Dead(m => m.Holds = true));
        var numbers = (await host.Rows()).Select(r => r.SequenceNumber).ToArray();

        (await host.Services.GetRequiredService<IDeadMessages<ShopDb>>().Discard(numbers)).ShouldBe(2);

        var rows = await host.Rows();
        rows.Select(r => r.SequenceNumber).ShouldBe([numbers[0], numbers[2]]);
        rows[1].State.ShouldBe(OutboxMessageState.Pending);
        rows[1].ExpiresAt.ShouldBe(DateTime.UnixEpoch);
        rows[1].Holds.ShouldBeTrue();
    }

    private static Task Store(ShopHost host, params OutboxMessage[] messages) => host.InScope(async (db, _) =>
    {
        // One at a time, and the state afterwards: the save gives new rows their partition.
        foreach (var message in messages)
        {
            var (partition, key) = (message.Partition, message.KeyHash);
            db.Add(message);
            await db.SaveChangesAsync();
            await db.OutboxMessages.Where(m => m.SequenceNumber == message.SequenceNumber)
                .ExecuteUpdateAsync(set => set.SetProperty(m => m.Partition, partition).SetProperty(m => m.KeyHash, key));
        }
    });

    private static OutboxMessage Dead(Action<OutboxMessage>? change = null) => Message(m =>
    {
        (m.State, m.Attempts, m.LastError, m.ClosedAt) = (OutboxMessageState.Dead, 10, "The broker refused it.", m.CreatedAt.AddMinutes(1));
        change?.Invoke(m);
    });

    private static OutboxMessage Message(Action<OutboxMessage>? change = null)
    {
        var message = new OutboxMessage { CreatedAt = new DateTime(2026, 6, 1, 0, 0, 0, DateTimeKind.Utc), Metadata = "{}" };
        change?.Invoke(message);
        return message;
    }
}

public sealed class SqliteOperatingTests : OperatingSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresOperatingTests : OperatingSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerOperatingTests : OperatingSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
