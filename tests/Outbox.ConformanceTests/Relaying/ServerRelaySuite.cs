using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What a database server adds to the relay: transactions side by side, and replicas.</summary>
public abstract class ServerRelaySuite : RelaySuite
{
    [SkippableFact]
    public async Task A_row_that_commits_late_is_found_behind_those_that_were_sent()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);
        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();                    // has its number now, and is not committed
            for (var number = 2; number < 40; number++)
                await Publish(host, number);
            await Received.WaitForCount(38);
            await transaction.CommitAsync();
        });

        (await Received.WaitForCount(39)).ShouldContain(m => m.Number == 1);
    }

    [SkippableFact]
    public async Task A_row_that_commits_later_than_the_look_back_is_found_by_a_full_look()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.Options.LookBack = TimeSpan.FromMilliseconds(50));
        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            var started = TimeProvider.System.GetTimestamp();
            for (var number = 2; TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(1); number++)
            {
                await Publish(host, number);
                await Received.WaitForCount(number - 1);
            }

            await transaction.CommitAsync();
        });

        await Received.WaitFor(m => m.Number == 1);
    }

    [SkippableFact]
    public async Task Two_replicas_share_the_partitions_and_the_one_that_stays_takes_all()
    {
        await using var database = await NewDatabase();
        await using var first = await Start(database);
        await Owned(first, by: 1);
        var second = await Start(database);
        await Owned(first, by: 2);

        await second.DisposeAsync();
        await Owned(first, by: 1);

        await Publish(first, 1);
        await Received.WaitForCount(1);
    }

    [SkippableFact]
    public async Task The_partitions_of_a_replica_that_was_killed_are_taken_over()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, Short, start: false);
        var dead = NewId.NextGuid();
        await host.InScope(async (db, _) =>
        {
            db.Add(new OutboxReplica { Id = dead, Beat = 17 });
            await db.SaveChangesAsync();
            db.AddRange(Enumerable.Range(0, 16).Select(p => new OutboxLease { Partition = p, Owner = dead }));
            await db.SaveChangesAsync();
        });
        await Publish(host, 1);

        await host.StartAsync();

        await Received.WaitForCount(1);
        (await host.Query(db => db.Set<OutboxReplica>().AnyAsync(r => r.Id == dead))).ShouldBeFalse();
    }

    [SkippableFact]
    public async Task A_replica_that_was_evicted_starts_anew()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, Short);
        await Owned(host, by: 1);
        var before = await host.Query(db => db.Set<OutboxReplica>().SingleAsync());

        await host.InScope((db, _) => db.Set<OutboxReplica>().ExecuteDeleteAsync());

        await Eventually.Is(async () => await host.Query(db => db.Set<OutboxReplica>().AnyAsync(r => r.Id != before.Id)));
        await Publish(host, 1);
        await Received.WaitForCount(1);
    }

    private static void Short(IEntityFrameworkOutboxConfigurator outbox)
        => (outbox.Options.BeatPeriod, outbox.Options.LeaseTime) = (TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1));

    private static Task Owned(ShopHost host, int by) => Eventually.Is(async () => await host.Query(async db =>
    {
        var owners = await db.Set<OutboxLease>().Select(l => l.Owner).ToListAsync();
        return owners.Count == 16 && !owners.Contains(null) && owners.Distinct().Count() == by;
    }));
}
