using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Capturing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Scheduling;

/// <summary>A scheduled message is a row that is due later, and can be taken back until it is.</summary>
public abstract class SchedulingSuite
{
    private static readonly DateTime NextYear = new(2127, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task A_scheduled_message_is_stored_with_its_due_time_and_can_be_told_by_its_token()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        Guid published = default, sent = default;

        await host.InScope(async (db, outbox) =>
        {
            published = await outbox.Schedule(new OrderPlaced(1), NextYear);
            sent = await outbox.Schedule(new Uri("queue:packing"), new PackOrder(1), new DateTimeOffset(NextYear.AddHours(2), TimeSpan.Zero).ToOffset(TimeSpan.FromHours(8)));
            (await host.Rows()).ShouldBeEmpty();
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Select(r => (r.MessageId, r.DueAt)).ShouldBe([(published, NextYear), (sent, NextYear.AddHours(2))]);
        MessageMetadata.FromJson(rows[0].Metadata).Published.ShouldBeTrue();
        rows[1].DestinationAddress.ShouldContain("/packing");
        foreach (var row in rows)
            MessageMetadata.Plain(MessageMetadata.FromJson(row.Metadata).Headers!["MT-Scheduling-TokenId"]).ShouldBe(row.MessageId.ToString("N"));
    }

    [SkippableFact]
    public async Task The_sender_may_choose_the_id_and_with_it_the_token()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        var id = NewId.NextGuid();

        await host.InScope(async (db, outbox) =>
        {
            (await outbox.Schedule(new OrderPlaced(1), NextYear, context => context.MessageId = id)).ShouldBe(id);
            (await outbox.Schedule(new Uri("queue:packing"), new PackOrder(1), NextYear, context => context.SetOutboxPartitionKey("north"))).ShouldNotBe(id);
            await db.SaveChangesAsync();
        });

        (await host.Rows()).Select(r => r.PartitionKey).ShouldBe([null, "north"]);
    }

    [SkippableFact]
    public async Task What_is_due_already_is_ready_at_once()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());

        await Schedule(host, 1, DateTimeOffset.UnixEpoch);

        (await host.Rows()).ShouldHaveSingleItem().DueAt.ShouldBeNull();
    }

    [SkippableFact]
    public async Task Cancelling_takes_the_message_back_once_and_no_other()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        var first = await Schedule(host, 1, NextYear);
        var second = await Schedule(host, 2, NextYear);

        (await Cancel(host, first)).ShouldBeTrue();
        (await Cancel(host, first)).ShouldBeFalse();
        (await Cancel(host, NewId.NextGuid())).ShouldBeFalse();

        (await host.Rows()).ShouldHaveSingleItem().MessageId.ShouldBe(second);
    }

    [SkippableFact]
    public async Task What_was_not_saved_yet_is_cancelled_too()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());

        await host.InScope(async (db, outbox) =>
        {
            var token = await outbox.Schedule(new OrderPlaced(1), NextYear);
            await outbox.Publish(new OrderPlaced(2));
            (await outbox.Cancel(token)).ShouldBeTrue();
            (await outbox.Cancel(token)).ShouldBeFalse();
            await db.SaveChangesAsync();
        });

        (await host.Rows()).ShouldHaveSingleItem().DueAt.ShouldBeNull();
    }

    [SkippableFact]
    public async Task A_cancelling_that_is_rolled_back_has_cancelled_nothing()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        var token = await Schedule(host, 1, NextYear);

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            (await outbox.Cancel(token)).ShouldBeTrue();
            await transaction.RollbackAsync();
        });

        (await host.Rows()).ShouldHaveSingleItem().MessageId.ShouldBe(token);
    }

    /// <summary>Due, tried, returned, holding its key, dead: all of these are the relay's or an operator's, and may have arrived.</summary>
    [SkippableFact]
    public async Task What_is_due_or_was_tried_cannot_be_cancelled()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        Action<Microsoft.EntityFrameworkCore.Query.UpdateSettersBuilder<OutboxMessage>>[] changes =
        [
            set => set.SetProperty(m => m.DueAt, (DateTime?)null),
            set => set.SetProperty(m => m.Attempts, 1),
            set => set.SetProperty(m => m.Returns, 1),
            set => set.SetProperty(m => m.Holds, true),
            set => set.SetProperty(m => m.State, OutboxMessageState.Dead),
            set => set.SetProperty(m => m.State, OutboxMessageState.Sent),
        ];

        foreach (var change in changes)
        {
            var token = await Schedule(host, 1, NextYear);
            await host.InScope((db, _) => db.OutboxMessages.Where(m => m.MessageId == token).ExecuteUpdateAsync(change));
            (await Cancel(host, token)).ShouldBeFalse();
        }

        (await host.Rows()).Count.ShouldBe(changes.Length);
    }

    [SkippableFact]
    public async Task The_relay_sends_what_is_due_after_a_restart_too_and_nothing_that_was_cancelled()
    {
        await using var database = await NewDatabase();
        var received = new SignalLog<OrderPlaced>();
        Guid cancelled;
        await using (var first = await Start(database, received))
        {
            await Schedule(first, 1, TimeProvider.System.GetUtcNow().AddSeconds(2));
            cancelled = await Schedule(first, 2, TimeProvider.System.GetUtcNow().AddSeconds(2));
        }

        await using var second = await Start(database, received);
        (await Cancel(second, cancelled)).ShouldBeTrue();

        await received.WaitForCount(1);
        await Eventually.Is(async () => (await second.Rows()).Count == 0);
        received.Values.ShouldHaveSingleItem().Number.ShouldBe(1);
    }

    [SkippableFact]
    public async Task Each_message_is_either_cancelled_or_sent_when_both_happen_at_once()
    {
        const int count = 60;
        await using var database = await NewDatabase();
        var received = new SignalLog<OrderPlaced>();
        await using var host = await Start(database, received);
        var due = TimeProvider.System.GetUtcNow();
        var tokens = new Guid[count];
        for (var number = 0; number < count; number++)
            tokens[number] = await Schedule(host, number, due.AddSeconds(1).AddMilliseconds(number * 25));

        var cancelled = new List<int>();
        for (var number = 0; number < count; number++)
        {
            await Eventually.Is(() => TimeProvider.System.GetUtcNow() >= due.AddSeconds(1).AddMilliseconds(number * 25));
            if (await Cancel(host, tokens[number]))
                cancelled.Add(number);
        }

        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        // The row goes when the transport has the message, which the consumer may not have had yet.
        await Eventually.Holds(() => received.Values.Select(m => m.Number).Concat(cancelled).ShouldBe(Enumerable.Range(0, count), ignoreOrder: true));
    }

    [SkippableFact]
    public async Task The_scopes_scheduler_is_captured_when_the_bus_outbox_is_used()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o =>
        {
            o.Outbox = x => x.UseBusOutbox();
            o.WithoutRelay();
        });
        ScheduledMessage<OrderPlaced> published;
        ScheduledMessage<PackOrder> sent;

        await using (var scope = host.Services.CreateAsyncScope())
        {
            var scheduler = scope.ServiceProvider.GetRequiredService<IMessageScheduler>();
            published = await scheduler.SchedulePublish(NextYear, new OrderPlaced(1));
            sent = await scheduler.ScheduleSend(new Uri("queue:packing"), NextYear, new PackOrder(1));
            (await host.Rows()).ShouldBeEmpty();
            await scope.ServiceProvider.GetRequiredService<ShopDb>().SaveChangesAsync();
        }

        (await host.Rows()).Select(r => (r.MessageId, r.DueAt)).ShouldBe([(published.TokenId, NextYear), (sent.TokenId, NextYear)]);
        await using (var scope = host.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<IMessageScheduler>().CancelScheduledPublish<OrderPlaced>(published.TokenId);
        (await host.Rows()).ShouldHaveSingleItem().MessageId.ShouldBe(sent.TokenId);
    }

    protected static async Task<Guid> Schedule(ShopHost host, int number, DateTimeOffset due)
    {
        Guid token = default;
        await host.InScope(async (db, outbox) =>
        {
            token = await outbox.Schedule(new OrderPlaced(number), due);
            await db.SaveChangesAsync();
        });
        return token;
    }

    protected static async Task<bool> Cancel(ShopHost host, Guid token)
    {
        var cancelled = false;
        await host.InScope(async (_, outbox) => cancelled = await outbox.Cancel(token));
        return cancelled;
    }

    protected static Task<ShopHost> Start(TestDatabase database, SignalLog<OrderPlaced> received)
        => ShopHost.StartAsync(database, o => o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => received.Add(message)));
}

public sealed class SqliteSchedulingTests : SchedulingSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresSchedulingTests : SchedulingSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();

    [SkippableFact]
    public async Task A_cancelling_that_takes_its_time_keeps_no_other_message_from_its_due_time()
    {
        await using var database = await NewDatabase();
        var received = new SignalLog<OrderPlaced>();
        await using var host = await Start(database, received);
        var due = TimeProvider.System.GetUtcNow().AddSeconds(1);
        var token = await Schedule(host, 1, due);
        await Schedule(host, 2, due.AddMilliseconds(100));

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            (await outbox.Cancel(token)).ShouldBeTrue();
            await received.WaitFor(m => m.Number == 2);
            await transaction.RollbackAsync();
        });

        await received.WaitFor(m => m.Number == 1);
    }
}

public sealed class SqlServerSchedulingTests : SchedulingSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
