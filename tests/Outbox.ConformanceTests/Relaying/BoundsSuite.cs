using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>How long things take at most by the relay's clock, which stands while its loops work: no machine is too slow for that.</summary>
public abstract class BoundsSuite : RelayingShop
{
    /// <summary>A timer waits for whole milliseconds.</summary>
    protected static readonly TimeSpan Rounding = TimeSpan.FromMilliseconds(5);

    /// <summary>The longest pause between two reads: the delay, and its jitter.</summary>
    protected static readonly TimeSpan LongestDelay = (new OutboxOptions().QueryDelay * 1.1) + Rounding;

    private const int Joined = 1201;

    // Those that wait for a time: the beat, the passes, the check-backs.
    private const int Loops = 3;

    protected ManualTimeProvider Time { get; } = new(TimeProvider.System.GetUtcNow());

    /// <summary>What the relay has handed to the transport: within its pass, before it waits again.</summary>
    protected SignalLog<Uri> Sent { get; } = new();

    [SkippableFact]
    public async Task A_row_that_another_process_has_stored_is_found_within_the_query_delay()
    {
        await using var database = await NewDatabase();
        await using var storing = await Start(database, more: o => o.WithoutRelay());
        await using var relaying = await StartRelay(database);
        await Publish(storing, 0);                          // from here on the endpoint is known, and a send begins within the pass
        await Until(() => Sent.Count == 1);
        await Received.WaitForCount(1);

        for (var number = 1; number <= 3; number++)
        {
            await Publish(storing, number);
            (await Until(() => Sent.Count == number + 1)).ShouldBeLessThanOrEqualTo(LongestDelay);
            await Received.WaitForCount(number + 1);
        }
    }

    /// <summary>A relay that is up. Its clock moves only in <see cref="Until(Func{Task{bool}})"/>.</summary>
    protected async Task<ShopHost> StartRelay(TestDatabase database)
    {
        var host = await Start(database, o => o.DisableInboxCleanupService(), start: false, more: o =>
        {
            (o.Time, o.CreateTables) = (Time, false);
            o.Transport = bus => bus.UsingInMemory((context, cfg) =>
            {
                cfg.ConfigurePublish(pipe => pipe.UseExecute(send => Sent.Add(send.DestinationAddress!)));
                cfg.ConfigureEndpoints(context);
            });
        });
        await host.StartAsync();
        await Until(() => Logs.Of(Joined).Any());
        await Eventually.Is(() => Owned(host, by: 1));     // the clock stands
        return host;
    }

    /// <summary>Another replica, which is not heard of again unless the test says so.</summary>
    protected static async Task<Guid> Another(ShopHost host)
    {
        var id = NewId.NextGuid();
        await host.InScope(async (db, _) =>
        {
            db.Add(new OutboxReplica { Id = id, Beat = 17 });
            await db.SaveChangesAsync();
        });
        return id;
    }

    protected static Task<bool> Owned(ShopHost host, int by) => host.Query(async db =>
    {
        var owners = await db.Set<OutboxLease>().Select(l => l.Owner).ToListAsync();
        return owners.Count == 16 && !owners.Contains(null) && owners.Distinct().Count() == by;
    });

    protected Task<TimeSpan> Until(Func<bool> condition) => Until(() => Task.FromResult(condition()));

    /// <summary>Moves the clock from timer to timer, each time when all loops wait for theirs.</summary>
    /// <returns>How far.</returns>
    protected async Task<TimeSpan> Until(Func<Task<bool>> condition)
    {
        var started = Time.GetTimestamp();
        await Time.WaitForTimersAsync(Loops);
        while (!await condition())
        {
            await Time.AdvanceToNextTimerAsync();
            await Time.WaitForTimersAsync(Loops);
        }

        return Time.GetElapsedTime(started);
    }
}

public sealed class SqliteBoundsTests : BoundsSuite
{
    // The lock on the file has ended with its process, so that nobody's silence need be waited for.
    [Fact]
    public async Task A_process_that_starts_after_a_kill_owns_everything_at_once()
    {
        await using var database = await NewDatabase();
        await using (var before = await Start(database, more: o => o.WithoutRelay()))
        {
            var dead = await Another(before);
            await before.InScope(async (db, _) =>
            {
                db.AddRange(Enumerable.Range(0, 16).Select(p => new OutboxLease { Partition = p, Owner = dead }));
                await db.SaveChangesAsync();
            });
            await Publish(before, 1);
        }

        await using var host = await StartRelay(database);

        await Received.WaitForCount(1);                     // the clock stands
    }

    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresBoundsTests : ServerBoundsSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerBoundsTests : ServerBoundsSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}

/// <summary>What a database server adds: other replicas.</summary>
public abstract class ServerBoundsSuite : BoundsSuite
{
    private static readonly TimeSpan Beat = new OutboxOptions().BeatPeriod;

    [SkippableFact]
    public async Task What_a_killed_replica_owned_is_taken_over_within_the_lease_and_one_beat()
    {
        await using var database = await NewDatabase();
        await using var storing = await Start(database, more: o => o.WithoutRelay());
        await using var host = await StartRelay(database);
        var dead = await Another(storing);
        await Until(async () => await storing.Query(db => db.Set<OutboxLease>().CountAsync(l => l.Owner == null)) == 8);
        await storing.InScope((db, _) => db.Set<OutboxLease>().Where(l => l.Owner == null).ExecuteUpdateAsync(set => set.SetProperty(l => l.Owner, dead)));

        // Its last beat comes right after a look of the other, which sees it one beat later: the worst moment to die.
        var looks = await Beats(storing, dead);
        await Until(async () => await Beats(storing, dead) > looks);
        await storing.InScope((db, _) => db.Set<OutboxReplica>().Where(r => r.Id == dead).ExecuteUpdateAsync(set => set.SetProperty(r => r.Beat, r => r.Beat + 1)));
        var takenOver = await Until(async () => !await storing.Query(db => db.Set<OutboxReplica>().AnyAsync(r => r.Id == dead)));

        takenOver.ShouldBeLessThanOrEqualTo(new OutboxOptions().LeaseTime + Beat + Rounding);
        await Eventually.Is(() => Owned(host, by: 1));     // the clock stands
    }

    [SkippableFact]
    public async Task What_a_replica_gives_back_is_taken_over_within_the_query_delay()
    {
        await using var database = await NewDatabase();
        await using var storing = await Start(database, more: o => o.WithoutRelay());
        await using var host = await StartRelay(database);
        var other = await Another(storing);
        await Until(async () => await storing.Query(db => db.Set<OutboxLease>().CountAsync(l => l.Owner == null)) == 8);
        await storing.InScope((db, _) => db.Set<OutboxLease>().Where(l => l.Owner == null).ExecuteUpdateAsync(set => set.SetProperty(l => l.Owner, other)));

        var looks = await Beats(storing, other);
        await storing.InScope((db, _) => db.Set<OutboxReplica>().Where(r => r.Id == other).ExecuteDeleteAsync());

        // The read counts the replicas, and a look out of turn follows.
        (await Until(async () => await Beats(storing, other) > looks)).ShouldBeLessThanOrEqualTo(LongestDelay);
        await Eventually.Is(() => Owned(host, by: 1));     // the clock stands
    }

    /// <summary>How often the other replica has shown that it lives.</summary>
    private static Task<long> Beats(ShopHost host, Guid notOf) => host.Query(db => db.Set<OutboxReplica>().Where(r => r.Id != notOf).Select(r => r.Beat).SingleAsync());
}
