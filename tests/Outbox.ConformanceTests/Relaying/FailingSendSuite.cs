using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
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

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_that_a_filter_of_the_bus_refuses_harms_no_other_and_is_dead_in_the_end(bool published)
    {
        await using var database = await NewDatabase();
        var refusing = false;
        await using var host = await Start(
            database,
            o =>
            {
                o.PartitionBy<OrderPlaced>(m => m.Number);
                (o.Options.MaxAttempts, o.Options.MinRetryDelay) = (3, TimeSpan.FromMilliseconds(10));
            },
            start: false,
            more: o => o.Transport = bus => bus.UsingInMemory((context, cfg) =>
            {
                cfg.ConfigurePublish(pipe => pipe.UseExecute(Refuse));
                cfg.ConfigureSend(pipe => pipe.UseExecute(Refuse));
                cfg.ConfigureEndpoints(context);
            }));
        await host.InScope(async (db, outbox) =>
        {
            await (published ? outbox.Publish(new PackOrder(0)) : outbox.Send(new Uri("queue:packing"), new PackOrder(0)));
            for (var number = 1; number <= 20; number++)
                await outbox.Publish(new OrderPlaced(number));
            await db.SaveChangesAsync();
        });
        refusing = true;

        await host.StartAsync();

        await Eventually.Is(async () => await host.Rows() is [{ State: OutboxMessageState.Dead }]);
        var dead = (await host.Rows()).Single();
        dead.Attempts.ShouldBe(3);
        dead.LastError.ShouldStartWith("InvalidOperationException: Not this one.");
        (await Received.WaitForCount(20)).Select(m => m.Number).Distinct().Count().ShouldBe(20);
        Logs.Of(NotSent).ShouldHaveSingleItem().Text.ShouldContain("(Refused)");
        Logs.Of(Interrupted).ShouldBeEmpty();

        void Refuse(SendContext context)
        {
            if (refusing && context.DestinationAddress!.ToString().Contains("pack", StringComparison.OrdinalIgnoreCase))
                throw new InvalidOperationException("Not this one.");
        }
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

    [SkippableFact]
    public async Task A_row_whose_end_the_database_refuses_to_take_down_harms_no_other()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.Options.MinRetryDelay = TimeSpan.FromMilliseconds(10), start: false);
        for (var number = 1; number <= 4; number++)
            await Publish(host, number);
        await Change(host, 1, m => m.SetProperty(r => r.Metadata, "{ not json"));
        await Change(host, 3, m => m.SetProperty(r => r.Metadata, "{ not json"));
        var rows = await host.Rows();
        await RefuseUpdates(host, rows[0].SequenceNumber);
        await RefuseDeletes(host, from: rows[1].SequenceNumber, to: rows[1].SequenceNumber);

        await host.StartAsync();

        await Eventually.Is(async () => await host.Rows() is [{ Attempts: 0 }, { Attempts: 0 }, { Attempts: > 0 }]);
        await Publish(host, 5);
        (await Received.WaitForCount(3)).Select(m => m.Number).ShouldBe([2, 4, 5], ignoreOrder: true);
        await Eventually.Is(async () => (await host.Rows()).Count == 3);
        Logs.Of(NotTaken).Select(l => l.Text).ShouldBe(
            [.. rows.Take(2).Select(r => $"The database was expected to take down what became of message {r.MessageId} ({r.SequenceNumber}), and refuses it; it is tried again, and the other messages go on meanwhile.")],
            ignoreOrder: true);
        Logs.Of(DatabaseLost).ShouldBeEmpty();

        await Sql(host, AllowUpdates);
        await AllowDeletes(host);
        await Eventually.Is(async () => await host.Rows() is [{ Attempts: > 0 }, { Attempts: > 0 }]);
        Received.Count.ShouldBe(3);
    }

    // So many that it is no single row's trouble: what could not be taken down must not be sent on and on.
    [SkippableFact]
    public async Task A_database_that_refuses_everything_stops_the_relay_until_it_does_not()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.PartitionBy<OrderPlaced>(m => m.Number), start: false);
        await host.InScope(async (db, outbox) =>
        {
            for (var number = 1; number <= 150; number++)
                await outbox.Publish(new OrderPlaced(number));
            await db.SaveChangesAsync();
        });
        await RefuseDeletes(host);

        await host.StartAsync();
        await Received.WaitForCount(150);
        await Logs.Lines.WaitFor(l => l.Id == DatabaseLost);
        await Publish(host, 151);
        await AllowDeletes(host);

        await Received.WaitForCount(151);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        Received.Count.ShouldBe(151);
        Logs.Of(NotTaken).Count().ShouldBe(100);
    }

    [SkippableFact]
    public async Task A_failure_is_logged_when_it_first_happens_and_when_the_message_is_dead_and_never_in_between()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => (o.Options.MaxAttempts, o.Options.MinRetryDelay) = (4, TimeSpan.FromMilliseconds(10)), start: false);
        await Publish(host, 1);
        await Change(host, 1, m => m.SetProperty(r => r.Metadata, "{ not json"));
        var row = (await host.Rows()).Single();

        await host.StartAsync();
        await Eventually.Is(async () => (await host.Rows()).Single().State == OutboxMessageState.Dead);
        await Logs.Lines.WaitFor(l => l.Id == Died);

        var failed = Logs.Of(NotSent).ShouldHaveSingleItem();
        failed.Text.ShouldBe($"1 messages were expected to be confirmed and were not (Refused), {row.MessageId} to {row.DestinationAddress} among them; they are tried again.");
        failed.Exception.ShouldBeOfType<System.Text.Json.JsonException>();
        var dead = Logs.Of(Died).ShouldHaveSingleItem();
        dead.Text.ShouldBe($"1 messages are dead, {row.MessageId} to {row.DestinationAddress} among them, after 4 attempts; an operator can requeue or discard them.");
        dead.Exception.ShouldBeOfType<System.Text.Json.JsonException>();
        Logs.Lines.Values.Where(l => l.Level > LogLevel.Information).ShouldBe([failed, dead]);
    }

    private const int DatabaseLost = 1211;
    private const int Interrupted = 1215;
    private const int NotSent = 1221;
    private const int Died = 1222;
    private const int NotTaken = 1224;

    /// <summary>Makes the database refuse to change the row.</summary>
    protected abstract Task RefuseUpdates(ShopHost host, long number);

    protected abstract string AllowUpdates { get; }
}

public sealed class SqliteFailingSendTests : FailingSendSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());

    protected override Task RefuseUpdates(ShopHost host, long number) => Sql(
        host, $"CREATE TRIGGER refuse BEFORE UPDATE ON OutboxMessage WHEN OLD.SequenceNumber = {number} BEGIN SELECT RAISE(ABORT, 'refused'); END");

    protected override string AllowUpdates => "DROP TRIGGER refuse";
}

public sealed class PostgresFailingSendTests : FailingSendSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();

    protected override async Task RefuseUpdates(ShopHost host, long number)
    {
        await Sql(host, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$");
        await Sql(host, $"""CREATE TRIGGER refuse BEFORE UPDATE ON "OutboxMessage" FOR EACH ROW WHEN (OLD."SequenceNumber" = {number}) EXECUTE FUNCTION refuse()""");
    }

    protected override string AllowUpdates => """DROP TRIGGER refuse ON "OutboxMessage" """;
}

public sealed class SqlServerFailingSendTests : FailingSendSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();

    protected override Task RefuseUpdates(ShopHost host, long number) => Sql(
        host, $"CREATE TRIGGER refuse ON OutboxMessage AFTER UPDATE AS IF EXISTS (SELECT 1 FROM deleted WHERE SequenceNumber = {number}) THROW 50000, 'refused', 1");

    protected override string AllowUpdates => "DROP TRIGGER refuse";
}
