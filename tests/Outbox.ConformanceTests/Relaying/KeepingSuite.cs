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
        var options = host.Services.GetRequiredService<OutboxRegistration<ShopDb>>().Options;
        await using var connection = new RelayConnection(host.Services.GetRequiredService<OutboxStore<ShopDb>>(), options);
        var table = new MessageTable(connection, options);
        var keeping = new Keeping(new OutboxRegistration<ShopDb>(options), table, _time);

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
