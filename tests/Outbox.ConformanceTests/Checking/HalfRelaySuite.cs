using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>Half messages with everything running: the relay, the check-backs, a consumer.</summary>
public abstract class HalfRelaySuite
{
    private readonly SignalLog<OrderPlaced> _received = new();

    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Only_what_is_committed_reaches_a_consumer_and_its_row_stays_without_a_body()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>());

        await host.InScope(async (db, outbox) =>
        {
            await using var prepared = await outbox.Prepare(new OrderPlaced(1));
            await using var refused = await outbox.Prepare(new OrderPlaced(2));
            await using var committed = await outbox.Prepare(new OrderPlaced(3));
            refused.Rollback();
            committed.Commit();
            await db.SaveChangesAsync();
            await using var at_once = await outbox.Prepare(new OrderPlaced(4));
            await at_once.CommitAsync();
            await outbox.Publish(new OrderPlaced(5));
            await db.SaveChangesAsync();
        });
        await _received.WaitForCount(3);

        await Eventually.Is(async () => (await host.Rows()).Select(r => r.State).SequenceEqual(
            [OutboxMessageState.Prepared, OutboxMessageState.RolledBack, OutboxMessageState.Committed, OutboxMessageState.Committed]));
        _received.Values.Select(m => m.Number).ShouldBe([3, 4, 5], ignoreOrder: true);
        (await host.Rows()).Skip(1).ShouldAllBe(r => r.Body.Length == 0 && r.DueAt == null && r.ClosedAt != null);
    }

    [SkippableFact]
    public async Task The_check_back_runs_by_itself_and_what_it_commits_arrives()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(
            c => (c.CheckBackDelay, c.CheckBackInterval) = (TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(50))));
        var asked = 0;
        host.Services.GetRequiredService<Answers>().To = (_, _, _) =>
            Task.FromResult(Interlocked.Increment(ref asked) < 3 ? CheckBackAnswer.Unknown : CheckBackAnswer.Committed);

        await host.InScope(async (_, outbox) => await outbox.Prepare(new OrderPlaced(1)));

        (await _received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(1);
        asked.ShouldBe(3);
    }

    [SkippableFact]
    public async Task What_is_committed_by_a_replica_whose_clock_is_fast_is_sent_at_once()
    {
        await using var database = await NewDatabase();
        await using var relaying = await Start(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>());
        await using var fast = await ShopHost.StartAsync(database, o =>
        {
            o.CreateTables = false;
            o.Time = new ManualTimeProvider(TimeProvider.System.GetUtcNow().AddHours(1));
            o.Outbox = c => c.AddCheckBack<OrderPlaced, ScriptedCheckBack>();
            o.Services = services => services.AddSingleton(new Answers());
            o.WithoutRelay();
        });

        await fast.InScope(async (db, outbox) =>
        {
            await using var joined = await outbox.Prepare(new OrderPlaced(1));
            joined.Commit();
            await db.SaveChangesAsync();
            await using var alone = await outbox.Prepare(new OrderPlaced(2));
            await alone.CommitAsync();
        });

        (await _received.WaitForCount(2)).Select(m => m.Number).ShouldBe([1, 2], ignoreOrder: true);
    }

    [SkippableFact]
    public async Task A_half_message_that_is_kept_for_a_restart_is_sent_again_and_forgets_its_body_when_it_need_not_be()
    {
        await using var database = await NewDatabase();
        void Kept(IEntityFrameworkOutboxConfigurator o)
        {
            o.AddCheckBack<OrderPlaced, ScriptedCheckBack>();
            (o.Options.KeepDelivered, o.Options.RedeliverOnStart) = (TimeSpan.FromMilliseconds(500), true);
        }

        await using (var host = await Start(database, Kept))
        {
            await host.InScope(async (_, outbox) => await (await outbox.Prepare(new OrderPlaced(1))).CommitAsync());
            await _received.WaitForCount(1);
            await Eventually.Is(async () => (await host.Rows())[0].State == OutboxMessageState.Sent);
        }

        await using var again = await Start(database, Kept);
        await _received.WaitForCount(2);
        await Eventually.Is(async () => await again.Rows() is [{ State: OutboxMessageState.Committed, Body.Length: 0 }]);
    }

    [SkippableFact]
    public async Task A_type_that_is_declared_without_a_check_back_fails_at_the_start()
    {
        await using var database = await NewDatabase();

        (await Should.ThrowAsync<ConfigurationException>(() => Start(database, o => o.HalfMessage<PackOrder>()))).Message
            .ShouldContain("Call AddCheckBack<PackOrder, ...>()");
        (await Should.ThrowAsync<ConfigurationException>(() => Start(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(c => c.CheckBackLimit = 0)))).Message
            .ShouldContain("CheckBackLimit must be at least 1");
        (await Should.ThrowAsync<ConfigurationException>(() => Start(database, o =>
        {
            o.AddCheckBack<OrderPlaced, ScriptedCheckBack>();
            o.AddCheckBack<OrderPlaced, ScriptedCheckBack>();
        }))).Message.ShouldContain("must have one check-back");
    }

    private Task<ShopHost> Start(TestDatabase database, Action<IEntityFrameworkOutboxConfigurator> outbox) => ShopHost.StartAsync(database, o =>
    {
        o.Outbox = c =>
        {
            c.QueryDelay = TimeSpan.FromMilliseconds(50);
            outbox(c);
        };
        o.Bus = bus => bus.AddHandler((OrderPlaced message) =>
        {
            _received.Add(message);
            return Task.CompletedTask;
        });
        o.Services = services => services.AddSingleton(new Answers());
    });
}

public sealed class SqliteHalfRelayTests : HalfRelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresHalfRelayTests : HalfRelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerHalfRelayTests : HalfRelaySuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
