using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Relaying;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>How long a row is kept: a window of running, over all the runs of the process, however often and long it is down.</summary>
public abstract class KeepingSuite
{
    private static readonly TimeSpan Window = TimeSpan.FromHours(1);
    private readonly ManualTimeProvider _time = new();

    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task A_kept_row_grows_older_over_all_the_runs_and_not_between_them()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await Store(host, 1);
        var first = (await host.Rows()).Single().SequenceNumber;

        // Three runs of 25 minutes, a day apart. Each sends everything again, and something new, which then is the last row.
        for (var run = 1; run <= 3; run++)
        {
            await Run(host, minutes: 25, also: run);
            (await host.Rows()).Any(r => r.SequenceNumber == first).ShouldBe(run < 3, $"after run {run}");
            _time.Advance(TimeSpan.FromDays(1));
        }

        (await host.Rows()).Count.ShouldBe(3);               // what the three runs stored is younger
    }

    [SkippableFact]
    public async Task The_last_row_that_tells_the_time_is_deleted_by_a_run_as_long_as_the_window()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await Store(host, 1);

        await Run(host, minutes: 55);
        (await host.Rows()).Count.ShouldBe(1);
        await Run(host, minutes: 65);

        (await host.Rows()).ShouldBeEmpty();
    }

    // Its own clock is days behind by then, and the decision would be forgotten at once.
    [SkippableFact]
    public async Task The_decision_of_a_half_message_is_remembered_from_when_its_body_is_not_kept_any_more()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await Store(host, 1);
        await host.InScope((db, _) => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.History, "{}")));
        await Run(host, minutes: 25, also: 2);
        _time.Advance(TimeSpan.FromDays(30));
        var restarted = _time.GetUtcNow().UtcDateTime;

        await Run(host, minutes: 45, also: 3);

        var row = (await host.Rows())[0];
        (row.State, row.Body.Length).ShouldBe((OutboxMessageState.Committed, 0));
        row.ClosedAt!.Value.ShouldBeGreaterThan(restarted);
    }

    [SkippableFact]
    public async Task What_a_start_made_pending_before_it_died_is_waited_for_by_the_next_one()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await Store(host, 1);
        await Run(host, minutes: 1);
        await Start(host, (keeping, _, _) => keeping.Redeliver(CancellationToken.None));

        await Start(host, async (keeping, table, drained) =>
        {
            await keeping.Redeliver(CancellationToken.None);
            await keeping.CleanUp(CancellationToken.None);
            drained.IsCompleted.ShouldBeFalse();

            await table.Keep([(await host.Rows()).Single().SequenceNumber], keeping.Now, CancellationToken.None);
            _time.Advance(TimeSpan.FromMinutes(1));
            await keeping.CleanUp(CancellationToken.None);
            drained.IsCompleted.ShouldBeTrue();
        });
    }

    [SkippableFact]
    public async Task However_many_are_kept_all_are_sent_again_and_all_decisions_are_remembered()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await Store(host, 1);
        await host.InScope(async (db, _) =>
        {
            var row = db.Entry(await db.OutboxMessages.AsNoTracking().SingleAsync());
            for (var more = 0; more < 2000; more++)
            {
                var copy = (OutboxMessage)row.CurrentValues.ToObject();
                copy.SequenceNumber = 0;
                db.Add(copy);
            }

            await db.SaveChangesAsync();
            await db.OutboxMessages.ExecuteUpdateAsync(set => set
                .SetProperty(m => m.State, OutboxMessageState.Sent).SetProperty(m => m.ClosedAt, _time.GetUtcNow().UtcDateTime).SetProperty(m => m.History, "{}"));
        });

        await Start(host, (keeping, _, _) => keeping.Redeliver(CancellationToken.None));
        (await host.Rows()).ShouldAllBe(r => r.State == OutboxMessageState.Pending);
        await Run(host, minutes: 65);

        (await host.Rows()).Count(r => r.State == OutboxMessageState.Committed).ShouldBe(2001);
    }

    private static Task<ShopHost> Host(TestDatabase database) => ShopHost.StartAsync(database, o =>
    {
        o.Outbox = x => (x.Options.KeepDelivered, x.Options.RedeliverOnStart) = (Window, true);
        o.WithoutRelay();
    });

    private static Task Store(ShopHost host, int number) => host.InScope(async (db, outbox) =>
    {
        await outbox.Publish(new OrderPlaced(number));
        await db.SaveChangesAsync();
    });

    /// <summary>What a process does from its start to its sudden end.</summary>
    private async Task Run(ShopHost host, int minutes, int? also = null)
    {
        await Start(host, async (keeping, table, _) =>
        {
            await keeping.Redeliver(CancellationToken.None);
            if (also is { } number)
                await Store(host, number);
            var ready = (await host.Rows()).Where(r => r.State == OutboxMessageState.Pending).Select(r => r.SequenceNumber).ToList();
            await table.Keep(ready, keeping.Now, CancellationToken.None);
            for (var minute = 0; minute <= minutes; minute++)
            {
                await keeping.CleanUp(CancellationToken.None);
                _time.Advance(TimeSpan.FromMinutes(1));
            }
        });
    }

    private async Task Start(ShopHost host, Func<Keeping, MessageTable, Task, Task> life)
    {
        var options = new OutboxOptions { KeepDelivered = Window, RedeliverOnStart = true };
        await using var connection = new RelayConnection(host.Services.GetRequiredService<OutboxStore<ShopDb>>(), options);
        var (table, registration) = (new MessageTable(connection, options), new OutboxRegistration<ShopDb>(options));
        await life(new Keeping(registration, table, _time), table, registration.StartUpRedelivery.Task);
    }
}

public sealed class SqliteKeepingTests : KeepingSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresKeepingTests : KeepingSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerKeepingTests : KeepingSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
