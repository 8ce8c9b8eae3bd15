using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Outbox.Databases;
using Outbox.Relaying;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>A relay that can do nothing does nothing: it waits for a signal or a time, and asks its database as rarely as it was told to.</summary>
public sealed class IdleTests : RelayingShop
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task One_undeliverable_message_at_the_head_keeps_no_other_key_waiting_and_nobody_busy_between_its_attempts()
    {
        await using var database = await NewDatabase();
        using var reads = new Reads(database);
        var time = new ManualTimeProvider();
        await using var host = await Start(
            database,
            o =>
            {
                o.PartitionBy<OrderPlaced>(m => m.Customer);
                o.DisableInboxCleanupService();
                (o.Options.MinRetryDelay, o.Options.MaxRetryDelay) = (Pause, Pause);
            },
            start: false,
            more: o => o.Time = time);
        for (var number = 1; number <= 100; number++)
            await Publish(host, number, $"customer {number % 20}");
        await Change(host, 1, m => m.SetProperty(r => r.Metadata, "{ not json"));
        await host.StartAsync();

        // The four behind it, of its own key, wait.
        await Run(host, time, until: rows => rows is [{ Attempts: 1, Holds: true }, { Attempts: 0 }, { Attempts: 0 }, { Attempts: 0 }, { Attempts: 0 }]);
        var received = await Received.WaitForCount(95);
        received.Select(m => m.Number).ShouldBe(Enumerable.Range(2, 99).Where(n => n % 20 != 1), ignoreOrder: true);

        var (before, times) = (reads.Count, 0);
        times = await Run(host, time, until: rows => rows[0].Attempts == 2);

        (reads.Count - before).ShouldBeInRange(1, (int)(Pause / (0.9 * new OutboxOptions().QueryDelay)) + 3);
        times.ShouldBeLessThan(120);
    }

    /// <summary>A pass says how long to wait for the next: until the due time, though nobody would look for another ten minutes.</summary>
    [SkippableFact]
    public async Task What_is_due_later_is_sent_at_its_time_however_rarely_the_relay_looks()
    {
        await using var database = await NewDatabase();
        var time = new ManualTimeProvider();
        await using var host = await Start(database, o => o.QueryDelay = TimeSpan.FromMinutes(10), more: o =>
        {
            o.Time = time;
            o.WithoutRelay();
        });
        await host.InScope(async (db, outbox) =>
        {
            await outbox.Schedule(new OrderPlaced(1), time.GetUtcNow() + TimeSpan.FromSeconds(100.5));
            await db.SaveChangesAsync();
        });
        var services = host.Services;
        using var parts = new RelayParts(
            services.GetRequiredService<OutboxRegistration<ShopDb>>(), services.GetRequiredService<OutboxStore<ShopDb>>(), services.GetRequiredService<IBusControl>(),
            host: null, time, NullLogger.Instance);
        await using var connections = parts;

        var pass = await Eventually.Get(() => parts.Relay.RunOnce(look: true, default), pass => pass.Pause > TimeSpan.FromSeconds(1));
        pass.Pause.ShouldBe(TimeSpan.FromSeconds(100.5));
        time.Advance(pass.Pause - TimeSpan.FromMilliseconds(1));
        await parts.Membership.BeatOnce(default);
        (await parts.Relay.RunOnce(look: false, default)).ShouldBe(new RelayPass(0, 0, 0, 0, TimeSpan.FromMilliseconds(1)));

        time.Advance(TimeSpan.FromMilliseconds(1));
        (await parts.Relay.RunOnce(look: false, default)).Promoted.ShouldBe(1);
        await parts.Relay.RunOnce(look: false, default);
        (await Received.WaitForCount(1))[0].Number.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_replica_that_has_no_partition_has_nothing_to_wait_for()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        await Publish(host, 1);
        await host.InScope((db, _) => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.DueAt, DateTime.UnixEpoch).SetProperty(m => m.Partition, 0)));
        var options = new OutboxOptions();
        await using var connection = new RelayConnection(host.Services.GetRequiredService<OutboxStore<ShopDb>>(), options);
        var reading = new Reading(new MessageWindow(1, 1), new MessageTable(connection, options), options, TimeProvider.System);
        reading.Follow([0]);
        await reading.Read(default);
        reading.NextDue.ShouldBe(DateTime.UnixEpoch);

        reading.Follow([]);

        (await reading.Read(default)).ShouldBe((0, 0));
        reading.NextDue.ShouldBeNull();
    }

    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();

    /// <summary>Moves the clock from timer to timer, each time when the relay's two loops wait for theirs.</summary>
    /// <returns>How many times.</returns>
    private static async Task<int> Run(ShopHost host, ManualTimeProvider time, Predicate<List<OutboxMessage>> until)
    {
        var times = 0;
        for (; !until(await host.Rows()); times++)
        {
            await time.WaitForTimersAsync(2);
            await time.AdvanceToNextTimerAsync();
        }

        return times;
    }

    /// <summary>How often the relay has read, as the driver tells.</summary>
    private sealed class Reads : IDisposable
    {
        private readonly ActivityListener _listener;
        private int _count;

        public Reads(TestDatabase database)
        {
            var name = new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!;
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "Npgsql",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStopped = activity =>
                {
                    var tags = activity.TagObjects.Select(t => t.Value as string).ToList();
                    if (tags.Contains(name, StringComparer.Ordinal) && tags.Exists(t => t?.StartsWith("SELECT min(", StringComparison.Ordinal) == true))
                        Interlocked.Increment(ref _count);
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public int Count => Volatile.Read(ref _count);

        public void Dispose() => _listener.Dispose();
    }
}
