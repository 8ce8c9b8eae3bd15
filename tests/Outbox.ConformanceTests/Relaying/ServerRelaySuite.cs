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
    public async Task Rows_of_sixteen_writers_that_commit_in_another_order_than_they_were_numbered_are_all_sent_once_and_in_order_per_key()
    {
        const int Writers = 16;
        const int Rounds = 10;
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.PartitionBy<OrderPlaced>(m => m.Customer));

        for (var round = 0; round < Rounds; round++)
        {
            // All have their numbers; then the last one commits first, and the others come behind what was sent already.
            var numbered = new SignalLog<int>();
            var turns = Enumerable.Range(0, Writers).Select(_ => new Signal()).ToList();
            var writers = turns.Select((turn, writer) => Write(round, writer, turn)).ToList();
            await numbered.WaitForCount(Writers);
            foreach (var (place, writer) in numbered.Values.Reverse().Index())
            {
                turns[writer].Set();
                await writers[writer];
                if (place == 0)
                    await Received.WaitFor(m => m == new OrderPlaced(round, $"writer {writer}"));
            }

            Task Write(int number, int writer, Signal turn) => host.InScope(async (db, outbox) =>
            {
                await using var transaction = await db.Database.BeginTransactionAsync();
                await outbox.Publish(new OrderPlaced(number, $"writer {writer}"));
                await db.SaveChangesAsync();
                numbered.Add(writer);
                await turn.WaitAsync();
                await transaction.CommitAsync();
            });
        }

        await Received.WaitForCount(Writers * Rounds);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        var byWriter = Received.Values.GroupBy(m => m.Customer, StringComparer.Ordinal).ToList();
        byWriter.Count.ShouldBe(Writers);
        byWriter.ShouldAllBe(m => m.Select(o => o.Number).SequenceEqual(Enumerable.Range(0, Rounds)));
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

    [SkippableFact]
    public async Task A_row_that_the_database_refuses_to_delete_does_not_keep_its_partition_from_another_replica()
    {
        await using var database = await NewDatabase();
        await using var first = await Start(database, start: false);
        for (var number = 0; number < 16; number++)
            await Publish(first, number);
        await first.InScope((db, _) => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.Partition, m => (int)(m.SequenceNumber % 16))));
        await RefuseDeletes(first);
        await first.StartAsync();
        await Eventually.Is(() => Logs.Of(NotTaken).Count() == 16);

        await using var second = await Start(database);

        await Owned(first, by: 2);
        await AllowDeletes(first);
        await Eventually.Is(async () => (await first.Rows()).Count == 0);
    }

    // What was read in the old term and waits in memory is another replica's to send by then.
    [SkippableFact]
    public async Task A_term_that_ends_while_the_broker_is_asked_leaves_nothing_to_send_in_the_next_one()
    {
        await using var database = await NewDatabase();
        var (broken, asked, answer) = (0, new Signal(), new Signal());
        await using var host = await Start(
            database,
            o =>
            {
                Short(o);
                o.Options.MessageDeliveryLimit = 1;
            },
            start: false,
            more: o => o.Transport = bus => bus.UsingInMemory((context, cfg) =>
            {
                cfg.ConfigurePublish(pipe => pipe.UseExecute(_ =>
                {
                    if (Interlocked.CompareExchange(ref broken, 2, 1) == 1)
                        throw new ConnectionException("The channel broke.");
                }));
                cfg.ConfigureSend(pipe => pipe.UseExecuteAsync(_ =>
                {
                    if (Volatile.Read(ref broken) < 2)
                        return Task.CompletedTask;
                    asked.Set();
                    return answer.WaitAsync();
                }));
                cfg.ConfigureEndpoints(context);
            }));
        for (var number = 1; number <= 3; number++)
            await Publish(host, number);
        broken = 1;
        await host.StartAsync();
        await asked.WaitAsync();

        // Another replica takes over, and sends them.
        await host.InScope((db, _) => db.OutboxMessages.ExecuteDeleteAsync());
        await host.InScope((db, _) => db.Set<OutboxReplica>().ExecuteDeleteAsync());
        await Logs.Lines.WaitFor(l => l.Id == EvictedSelf);
        answer.Set();
        await Publish(host, 4);

        (await Received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(4);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        Received.Count.ShouldBe(1);
    }

    private const int EvictedSelf = 1203;
    private const int NotTaken = 1224;

    private static void Short(IEntityFrameworkOutboxConfigurator outbox)
        => (outbox.Options.BeatPeriod, outbox.Options.LeaseTime) = (TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1));

    private static Task Owned(ShopHost host, int by) => Eventually.Is(async () => await host.Query(async db =>
    {
        var owners = await db.Set<OutboxLease>().Select(l => l.Owner).ToListAsync();
        return owners.Count == 16 && !owners.Contains(null) && owners.Distinct().Count() == by;
    }));
}
