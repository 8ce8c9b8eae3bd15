using System.Diagnostics.Metrics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.ConformanceTests.Preparing;
using Outbox.ConformanceTests.Relaying;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Operating;

/// <summary>What a collector reads off the gauges of an outbox that is being relayed.</summary>
public abstract class MetricsSuite : RelayingShop
{
    private const int StatisticsFailed = 1401;

    [SkippableFact]
    public async Task The_gauges_tell_what_waits_in_which_state_and_for_how_long()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(
            database,
            o =>
            {
                o.PartitionBy<OrderPlaced>(m => m.Customer);
                o.AddCheckBack<OrderPlaced, NobodyKnows>();
                (o.Options.MaxAttempts, o.Options.HoldKeyWhenDead) = (1, true);
            },
            start: false);
        using var collector = new Collector(host);
        await Publish(host, 1, "ann");
        await Publish(host, 2, "ann");
        await Publish(host, 3, "bob");
        await Change(host, 1, m => m.SetProperty(r => r.Metadata, "{ not json"));
        await host.StartAsync();

        // The first is dead and holds the second; the third is sent.
        await collector.Reads(Counts(ready: 1, holding: 1, dead: 1));
        collector.Age("outbox.backlog.age").ShouldBeGreaterThan(0);
        collector.Age("outbox.prepared.age").ShouldBe(0);
        Received.Values.ShouldHaveSingleItem().Number.ShouldBe(3);

        await host.Services.GetRequiredService<IDeadMessages<ShopDb>>().Discard([(await host.Rows())[0].SequenceNumber]);
        await Received.WaitForCount(2);
        await host.InScope(async (db, outbox) =>
        {
            await outbox.Schedule(new OrderPlaced(4), TimeProvider.System.GetUtcNow().AddHours(1));
            await outbox.Prepare(new OrderPlaced(5));        // and nobody decides
            await db.SaveChangesAsync();
        });

        await collector.Reads(Counts(waiting: 1, prepared: 1));
        collector.Age("outbox.backlog.age").ShouldBe(0);
        collector.Age("outbox.prepared.age").ShouldBeGreaterThan(0);
    }

    [SkippableFact]
    public async Task A_database_that_cannot_be_counted_leaves_the_gauges_away_and_is_logged_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.DisableDeliveryService());
        using var collector = new Collector(host);
        await collector.Reads(Counts());

        await Sql(host, """ALTER TABLE "OutboxMessage" RENAME TO "Elsewhere" """);
        await Eventually.Is(() => collector.Read().Count == 0);
        for (var times = 0; times < 3; times++)
        {
            collector.Read();
            await Should.ThrowAsync<System.Data.Common.DbException>(() => host.Services.GetRequiredService<IOutboxStatistics<ShopDb>>().Get());
        }

        await Sql(host, """ALTER TABLE "Elsewhere" RENAME TO "OutboxMessage" """);

        await collector.Reads(Counts());
        Logs.Of(StatisticsFailed).ShouldHaveSingleItem().Text.ShouldBe("The outbox of ShopDb could not be counted; its gauges are absent until the database answers.");
    }

    private static Dictionary<string, long> Counts(long ready = 0, long waiting = 0, long holding = 0, long dead = 0, long prepared = 0)
        => new(StringComparer.Ordinal)
        {
            ["ready"] = ready, ["waiting"] = waiting, ["holding"] = holding, ["dead"] = dead, ["prepared"] = prepared, ["undecided"] = 0,
        };

    /// <summary>Reads the instruments of one host.</summary>
    private sealed class Collector : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Dictionary<string, long> _messages = new(StringComparer.Ordinal);
        private readonly Dictionary<string, double> _ages = new(StringComparer.Ordinal);

        public Collector(ShopHost host)
        {
            var factory = host.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Outbox" && instrument.Meter.Scope == factory)
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            {
                instrument.Name.ShouldBe("outbox.messages");
                _messages.Add((string)Tag(tags, "state")!, value);
            });
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
            {
                Tag(tags, "db_context").ShouldBe(nameof(ShopDb));
                _ages.Add(instrument.Name, value);
            });
            _listener.Start();
        }

        /// <summary>Collects once. What is read is what was counted after the collection before.</summary>
        public Dictionary<string, long> Read()
        {
            _messages.Clear();
            _ages.Clear();
            _listener.RecordObservableInstruments();
            return _messages;
        }

        public Task Reads(Dictionary<string, long> expected) => Eventually.Holds(() => Read().ShouldBe(expected, ignoreOrder: true));

        public double Age(string gauge) => _ages[gauge];

        public void Dispose() => _listener.Dispose();

        private static object? Tag(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name)
        {
            foreach (var (key, value) in tags)
            {
                if (key == name)
                    return value;
            }

            return null;
        }
    }
}

public sealed class SqliteMetricsTests : MetricsSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresMetricsTests : MetricsSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}
