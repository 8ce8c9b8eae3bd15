using System.Reflection;
using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What only a broker can do to a relay: give a message back, refuse it, break the channel, go away.</summary>
public sealed class RabbitMqRelayTests
{
    private readonly SignalLog<OrderPlaced> _received = new();
    private readonly RecordedLogs _logs = new();

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
        _logs.Of(NotSent).ShouldHaveSingleItem().Text.ShouldContain("(Refused)");
        _logs.Of(Died).ShouldHaveSingleItem().Text.ShouldContain("after 2 attempts");
        _logs.Of(BrokerLost).ShouldBeEmpty();
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
        _logs.Of(BrokerLost).ShouldHaveSingleItem().Text.ShouldBe("The broker was expected to be reachable and is not; messages stay in the outbox until it is.");
        _logs.Of(BrokerBack).ShouldHaveSingleItem();
        _logs.Of(NotSent).ShouldBeEmpty();
    }

    // The driver can lose confirmations of what was on its way, in a few deaths out of many: OUTBOX_SOAK=1 makes more of them.
    [SkippableFact]
    public async Task A_broker_that_dies_at_full_speed_is_found_again_each_time()
    {
        const int batch = 2_000;
        var deaths = Environment.GetEnvironmentVariable("OUTBOX_SOAK") == "1" ? 25 : 2;
        await using var server = await Require.PrivateRabbitMqAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await (await StartConsumer(server.Address)).DisposeAsync();      // its queue stays
        await using var producer = await Start(database, server.Address, Quick);

        for (var death = 0; death < deaths; death++)
        {
            await producer.InScope(async (db, outbox) =>
            {
                for (var number = 0; number < batch; number++)
                    await outbox.Publish(new OrderPlaced((death * batch) + number, "ann"));
                await db.SaveChangesAsync();
            });
            await Eventually.Is(async () => await producer.Query(db => db.OutboxMessages.CountAsync()) < batch);
            await server.KillAsync();
            await server.StartAsync();
            await Eventually.Is(async () => await producer.Query(db => db.OutboxMessages.CountAsync()) == 0, Eventually.Limit * 4);
        }

        await using var consumer = await StartConsumer(server.Address);
        await Eventually.Is(() => _received.Values.Select(m => m.Number).Distinct().Count() == deaths * batch, Eventually.Limit * 4);
    }

    [SkippableFact]
    public async Task Without_the_brokers_confirmations_nothing_starts()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();

        var refusal = await Should.ThrowAsync<ConfigurationException>(
            Start(database, broker.Address, Quick, transport: cfg => cfg.Host(broker.Address, host => host.PublisherConfirmation = false)));

        refusal.Message.ShouldContain("PublisherConfirmation = false");
    }

    [SkippableFact]
    public async Task Why_the_broker_cannot_be_reached_is_said()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();

        await using var producer = await Start(
            database, broker.Address, Quick, transport: cfg => cfg.ConfigureSend(send => send.UseExecute(_ => throw new InvalidOperationException("Not with this filter."))));

        await Eventually.Is(() => _logs.Of(BrokerLost).Any());
        _logs.Of(BrokerLost).ShouldHaveSingleItem().Exception.ShouldNotBeNull().ToString().ShouldContain("Not with this filter.");
    }

    // RabbitMQ.Client tells some of a connection's channels that it has ended, and now and then not the others. Here it tells none.
    [SkippableFact]
    public async Task An_endpoint_that_is_not_told_of_the_end_of_its_connection_receives_by_another()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        var heard = new SignalLog<int>();
        await using var producer = await Start(database, broker.Address, Quick, queues: ["one"], heard: (_, message) => heard.Add(message.Number), bus: bus =>
            bus.AddHandler<OrderChanged>(changed =>
            {
                heard.Add(changed.Message.Number);
                return Task.CompletedTask;
            }).Endpoint(endpoint => endpoint.Name = "two"));
        var host = (IRabbitMqHostConfiguration)producer.Services.GetRequiredService<IBusInstance>().HostConfiguration;

        await Eventually.Is(async () => (await broker.QueuesAsync()).Count(q => q.Name is "one" or "two" && q.Consumers == 1) == 2);

        EndUntold(await ConnectionOf(host));

        await Eventually.Is(() => _logs.Of(UntoldChannel).Count() == 2);
        await Eventually.Is(async () => (await ConnectionOf(host)).IsOpen);
        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderChanged(7));
            await db.SaveChangesAsync();
        });
        (await heard.WaitForCount(2, Eventually.Limit * 2)).ShouldBe([7, 7]);
    }

    // RabbitMQ.Client closes a connection, and now and then never comes to saying so. Here it never does.
    [SkippableFact]
    public async Task A_connection_that_is_closed_and_handed_out_all_the_same_is_replaced_and_the_relay_does_not_need_it()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        await using var producer = await Start(database, broker.Address, Quick);
        await producer.Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, Eventually.Limit);
        var host = (IRabbitMqHostConfiguration)producer.Services.GetRequiredService<IBusInstance>().HostConfiguration;
        var lost = await ConnectionOf(host);
        EndUntold(lost);

        await Publish(producer, 1, "ann");

        (await _received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(1);
        await Eventually.Is(() => _logs.Of(DeadConnection).Any());
        _logs.Of(DeadConnection).ShouldHaveSingleItem().Text.ShouldContain("As the test says.");
        await Eventually.Is(async () => await ConnectionOf(host) is { IsOpen: true } found && found != lost);
    }

    // On the connection by which the relay sends, they would be left behind with it: thousands of sends wait on its channel when it ends.
    [SkippableFact]
    public async Task Consumers_of_a_bus_whose_relay_is_at_full_speed_are_there_again_after_each_death_of_the_broker()
    {
        const int batch = 2_000;
        var deaths = Environment.GetEnvironmentVariable("OUTBOX_SOAK") == "1" ? 25 : 3;
        await using var server = await Require.PrivateRabbitMqAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await (await StartConsumer(server.Address)).DisposeAsync();      // its queue stays
        var heard = new SignalLog<(string Queue, int Death)>();
        await using var producer = await Start(database, server.Address, Quick, queues: ["one", "two", "three"], heard: (queue, message) => heard.Add((queue, message.Number)));

        for (var death = 1; death <= deaths; death++)
        {
            await producer.InScope(async (db, outbox) =>
            {
                for (var number = 0; number < batch; number++)
                    await outbox.Publish(new OrderPlaced(number, "ann"));
                await db.SaveChangesAsync();
            });
            await Eventually.Is(async () => await producer.Query(db => db.OutboxMessages.CountAsync()) < batch);
            await server.KillAsync();
            await server.StartAsync();
            await Eventually.Is(async () => await producer.Query(db => db.OutboxMessages.CountAsync()) == 0, Eventually.Limit * 4);

            await producer.InScope(async (db, outbox) =>
            {
                await outbox.Publish(new OrderChanged(death));
                await db.SaveChangesAsync();
            });
            foreach (var queue in (string[])["one", "two", "three"])
                await heard.WaitFor(entry => entry == (queue, death), Eventually.Limit * 2);
        }
    }

    [SkippableFact]
    public async Task A_message_that_no_queue_wants_holds_its_key_if_told_to()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        var packed = new SignalLog<PackOrder>();
        await using var packing = await StartConsumer<PackOrder>(broker.Address, "packing", context => packed.Add(context.Message));
        await using var producer = await Start(database, broker.Address, o =>
        {
            Quick(o);
            o.Options.HoldKeyWhileUnrouted = true;
        }, start: false);
        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1), context => context.SetOutboxPartitionKey("ann"));
            await outbox.Send(new Uri("queue:packing"), new PackOrder(2), context => context.SetOutboxPartitionKey("ann"));
            await outbox.Send(new Uri("queue:packing"), new PackOrder(3), context => context.SetOutboxPartitionKey("bob"));
            await db.SaveChangesAsync();
        });

        await producer.StartAsync();

        await packed.WaitFor(m => m.Number == 3);
        await Eventually.Is(async () => await producer.Rows() is [{ Holds: true, Returns: >= 2 }, { Returns: 0 }]);
        packed.Count.ShouldBe(1);
        await using var consumer = await StartConsumer(broker.Address);
        await _received.WaitForCount(1);
        (await packed.WaitForCount(2))[1].Number.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_message_that_no_queue_wants_is_dead_after_a_limit_if_there_is_one()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var producer = await Start(database, broker.Address, o =>
        {
            Quick(o);
            o.Options.MaxUnroutedAttempts = 2;
        });

        await Publish(producer, 1, "ann");

        await Eventually.Is(async () => await producer.Rows() is [{ State: OutboxMessageState.Dead, Returns: 2, Attempts: 0 }]);
    }

    [SkippableFact]
    public async Task The_order_of_a_key_holds_at_full_speed()
    {
        const int Messages = 6000;
        const int Keys = 40;
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using (await StartConsumer(broker.Address))
        {
            // Makes the queue, and leaves it.
        }

        await using var producer = await Start(database, broker.Address, o => o.PartitionBy<OrderPlaced>(m => m.Customer!), start: false);
        for (var first = 0; first < Messages; first += 500)
        {
            await producer.InScope(async (db, outbox) =>
            {
                for (var number = first; number < first + 500; number++)
                    await outbox.Publish(new OrderPlaced(number, $"customer {number % Keys}"));
                await db.SaveChangesAsync();
            });
        }

        await producer.StartAsync();
        await Eventually.Is(async () => (await producer.Query(db => db.OutboxMessages.CountAsync())) == 0);
        await using var reader = await StartConsumer<OrderPlaced>(broker.Address, "orders", context => _received.Add(context.Message), oneByOne: true);
        await _received.WaitForCount(Messages);

        _received.Values.Select(m => m.Number).Order().ShouldBe(Enumerable.Range(0, Messages));
        foreach (var key in _received.Values.GroupBy(m => m.Customer, StringComparer.Ordinal))
            key.Select(m => m.Number).ShouldBeInOrder();
    }

    [SkippableFact]
    public async Task Headers_ids_and_the_trace_arrive_as_they_were_sent()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        var seen = new SignalLog<(string? Tenant, Guid? Correlation, Guid? Message, string? Trace)>();
        await using var consumer = await StartConsumer<OrderPlaced>(broker.Address, "orders", context => seen.Add((
            context.Headers.Get<string>("tenant"), context.CorrelationId, context.MessageId, context.ReceiveContext.TransportHeaders.Get<string>(MassTransit.Logging.DiagnosticHeaders.ActivityId))));
        await using var producer = await Start(database, broker.Address, Quick);
        var (correlation, message) = (NewId.NextGuid(), NewId.NextGuid());
        using var request = new System.Diagnostics.Activity("request").Start();

        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1), context =>
            {
                context.Headers.Set("tenant", "north");
                (context.CorrelationId, context.MessageId) = (correlation, message);
            });
            await db.SaveChangesAsync();
        });

        var arrived = (await seen.WaitForCount(1)).Single();
        (arrived.Tenant, arrived.Correlation, arrived.Message).ShouldBe(("north", correlation, message));
        arrived.Trace.ShouldNotBeNull().ShouldContain(request.TraceId.ToHexString());
    }

    [SkippableFact]
    public async Task A_message_reaches_those_who_listen_to_a_type_that_it_implements()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        var seen = new SignalLog<int>();
        await using var consumer = await StartConsumer<IOrderEvent>(broker.Address, "audit", context => seen.Add(context.Message.Number));
        await using var producer = await Start(database, broker.Address, Quick);

        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderChanged(7));
            await outbox.Publish(new Corrected<OrderPlaced>(8, new OrderPlaced(8)));
            await db.SaveChangesAsync();
        });

        (await seen.WaitForCount(2)).ShouldBe([7, 8], ignoreOrder: true);
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);
    }

    private const int BrokerLost = 1213;
    private const int BrokerBack = 1214;
    private const int DeadConnection = 1216;
    private const int UntoldChannel = 1217;
    private const int NotSent = 1221;
    private const int Died = 1222;

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

    private static void EndUntold(IConnection connection) => connection.GetType()
        .GetField("_closeReason", BindingFlags.Instance | BindingFlags.NonPublic)!
        .SetValue(connection, new ShutdownEventArgs(ShutdownInitiator.Library, 541, "As the test says."));

    private static async Task<IConnection> ConnectionOf(IRabbitMqHostConfiguration host)
    {
        IConnection? connection = null;
        await host.ConnectionContextSupervisor.Send(Pipe.Execute<ConnectionContext>(context => connection = context.Connection));
        return connection!;
    }

    private Task<ShopHost> Start(
        TestDatabase database, Uri broker, Action<IEntityFrameworkOutboxConfigurator> outbox, bool start = true,
        IEnumerable<string>? queues = null, Action<string, OrderChanged>? heard = null, Action<IBusRegistrationConfigurator>? bus = null,
        Action<IRabbitMqBusFactoryConfigurator>? transport = null)
        => ShopHost.StartAsync(database, o =>
        {
            (o.Outbox, o.Start, o.Services, o.Bus) = (outbox, start, _logs.Record, bus);
            o.Transport = registration => registration.UsingRabbitMq((context, cfg) =>
            {
                cfg.Host(broker);
                transport?.Invoke(cfg);
                foreach (var queue in queues ?? [])
                {
                    cfg.ReceiveEndpoint(queue, endpoint =>
                    {
                        endpoint.UseEntityFrameworkOutbox<ShopDb>(context);
                        endpoint.Handler<OrderChanged>(changed =>
                        {
                            heard?.Invoke(queue, changed.Message);
                            return Task.CompletedTask;
                        });
                    });
                }

                cfg.ConfigureEndpoints(context);
            });
        });

    /// <summary>A service of its own, without an outbox.</summary>
    private Task<Subscriber> StartConsumer(Uri broker) => StartConsumer<OrderPlaced>(broker, "orders", context => _received.Add(context.Message));

    private static async Task<Subscriber> StartConsumer<TMessage>(Uri broker, string queue, Action<ConsumeContext<TMessage>> consume, bool oneByOne = false)
        where TMessage : class
    {
        var bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(broker);
            cfg.ReceiveEndpoint(queue, endpoint =>
            {
                endpoint.ConcurrentMessageLimit = oneByOne ? 1 : null;
                endpoint.Handler<TMessage>(context =>
                {
                    consume(context);
                    return Task.CompletedTask;
                });
            });
        });
        await bus.StartAsync();
        return new Subscriber(bus);
    }

    public interface IOrderEvent
    {
        int Number { get; }
    }

    public sealed record OrderChanged(int Number) : IOrderEvent;

    public sealed record Corrected<T>(int Number, T Value) : IOrderEvent;

    private sealed class Subscriber(IBusControl bus) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await bus.StopAsync();
    }
}
