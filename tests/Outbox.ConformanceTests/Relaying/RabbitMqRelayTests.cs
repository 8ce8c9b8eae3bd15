using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What only a broker can do to a relay: give a message back, refuse it, break the channel, go away.</summary>
public sealed class RabbitMqRelayTests
{
    private readonly SignalLog<OrderPlaced> _received = new();

    [SkippableFact]
    public async Task A_message_published_before_any_queue_exists_is_delivered_after_it_appears()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var producer = await Start(database, broker.Address, Quick);
        await Publish(producer, 1, "ann");
        await Eventually.Is(async () => (await producer.Rows()).SingleOrDefault()?.Returns >= 2);
        var row = (await producer.Rows()).Single();
        (row.State, row.Attempts, row.Holds).ShouldBe((OutboxMessageState.Pending, 0, false));

        await using var consumer = await StartConsumer(broker.Address);

        (await _received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(1);
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);
    }

    [SkippableFact]
    public async Task An_oversized_body_harms_no_other_and_is_dead_in_the_end()
    {
        await using var server = await Require.PrivateRabbitMqAsync(new RabbitMqOptions { MaxMessageSize = 100_000 });
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(server.Address);
        await using var producer = await Start(database, server.Address, o =>
        {
            Quick(o);
            o.Options.MaxAttempts = 2;
        }, start: false);
        for (var number = 1; number <= 40; number++)
            await Publish(producer, number, number == 20 ? new string('x', 200_000) : "ann");

        await producer.StartAsync();

        await Eventually.Is(async () => (await producer.Rows()) is [{ State: OutboxMessageState.Dead }]);
        (await producer.Rows()).Single().Attempts.ShouldBe(2);
        await Eventually.Is(() => _received.Values.Select(m => m.Number).Distinct().Count() == 39);
    }

    [SkippableFact]
    public async Task An_outage_of_the_broker_makes_nothing_dead_and_counts_for_nobody()
    {
        await using var server = await Require.PrivateRabbitMqAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var producer = await Start(database, server.Address, o =>
        {
            Quick(o);
            o.Options.MaxAttempts = 1;                      // a single attempt that counted would be the last
        });
        await using (var consumer = await StartConsumer(server.Address))
        {
            await Publish(producer, 0, "ann");
            await _received.WaitForCount(1);
        }

        using var writing = new CancellationTokenSource();
        var number = 0;
        var writer = Task.Run(async () =>
        {
            while (!writing.IsCancellationRequested)
                await Publish(producer, ++number, $"customer {number % 7}");
        });
        await Eventually.Is(() => number > 50);
        await server.KillAsync();
        await Eventually.Is(async () => await producer.Query(db => db.Set<OutboxReplica>().CountAsync()) == 0);
        await writing.CancelAsync();
        await writer;
        (await producer.Rows()).ShouldAllBe(r => r.State == OutboxMessageState.Pending && r.Attempts == 0);

        await server.StartAsync();
        await using var again = await StartConsumer(server.Address);

        await Eventually.Is(() => _received.Values.Select(m => m.Number).Distinct().Count() == number + 1, Eventually.Limit * 2);
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);
    }

    private static void Quick(IEntityFrameworkOutboxConfigurator outbox)
    {
        outbox.PartitionBy<OrderPlaced>(m => m.Number);
        (outbox.Options.MinRetryDelay, outbox.Options.MaxUnroutedDelay) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(500));
    }

    private static Task Publish(ShopHost host, int number, string customer) => host.InScope(async (db, outbox) =>
    {
        await outbox.Publish(new OrderPlaced(number, customer));
        await db.SaveChangesAsync();
    });

    private static Task<ShopHost> Start(TestDatabase database, Uri broker, Action<IEntityFrameworkOutboxConfigurator> outbox, bool start = true)
        => ShopHost.StartAsync(database, o =>
        {
            (o.Outbox, o.Start) = (outbox, start);
            o.Transport = bus => bus.UsingRabbitMq((context, cfg) =>
            {
                cfg.Host(broker);
                cfg.ConfigureEndpoints(context);
            });
        });

    /// <summary>A service of its own, without an outbox.</summary>
    private async Task<Subscriber> StartConsumer(Uri broker)
    {
        var bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(broker);
            cfg.ReceiveEndpoint("orders", endpoint => endpoint.Handler<OrderPlaced>(context =>
            {
                _received.Add(context.Message);
                return Task.CompletedTask;
            }));
        });
        await bus.StartAsync();
        return new Subscriber(bus);
    }

    private sealed class Subscriber(IBusControl bus) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await bus.StopAsync();
    }
}
