using System.Diagnostics;
using System.Globalization;
using MassTransit;
using MassTransit.RabbitMqTransport;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;
using RabbitMQ.Client;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What only a broker can do to a message: give it back, refuse it, break the channel because of it, hand it on as it is.</summary>
public sealed class RabbitMqRelayTests : RabbitMqShop
{
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
        (await broker.QueuesAsync()).ShouldBeEmpty();       // whether the broker can be reached is found out without making any

        await using var consumer = await StartConsumer(broker.Address);

        (await Received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(1);
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
        await Eventually.Is(() => Received.Values.Select(m => m.Number).Distinct().Count() == 39);
        Logs.Of(NotSent).ShouldHaveSingleItem().Text.ShouldContain("(Refused)");
        Logs.Of(Died).ShouldHaveSingleItem().Text.ShouldContain("after 2 attempts");
        Logs.Of(BrokerLost).ShouldBeEmpty();
    }

    // A queue that is full and says so.
    [SkippableFact]
    public async Task A_message_that_the_broker_does_not_take_is_a_failed_attempt_and_dead_in_the_end()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using (var connection = await broker.ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync())
        {
            await channel.ExchangeDeclareAsync("Outbox.ConformanceTests:OrderPlaced", ExchangeType.Fanout, durable: true);
            await channel.QueueDeclareAsync(
                "full", durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-max-length"] = 1, ["x-overflow"] = "reject-publish" });
            await channel.QueueBindAsync("full", "Outbox.ConformanceTests:OrderPlaced", "");
        }

        await using var producer = await Start(
            database, broker.Address,
            o =>
            {
                Quick(o);
                o.Options.MaxAttempts = 2;
            });
        await Publish(producer, 1, "ann");
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);

        await PublishMany(producer, first: 2, count: 2);

        await Eventually.Is(async () => await producer.Rows() is [{ State: OutboxMessageState.Dead, Attempts: 2 }, { State: OutboxMessageState.Dead, Attempts: 2 }]);
        Logs.Of(Interrupted).ShouldBeEmpty();
    }

    // The name of a header has 255 bytes at most.
    [SkippableFact]
    public async Task A_message_that_cannot_be_written_as_a_frame_harms_no_other_and_is_dead_in_the_end()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        await using var producer = await Start(
            database, broker.Address,
            o =>
            {
                Quick(o);
                o.Options.MaxAttempts = 3;
            },
            start: false);
        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(0), context => context.Headers.Set(new string('x', 300), "too long"));
            await db.SaveChangesAsync();
        });
        await PublishMany(producer, first: 1, count: 200);

        await producer.StartAsync();

        await Eventually.Is(async () => await producer.Rows() is [{ State: OutboxMessageState.Dead, Attempts: 3 }]);
        (await Received.WaitForCount(200)).Select(m => m.Number).ShouldBe(Enumerable.Range(1, 200), ignoreOrder: true);
        Logs.Of(Interrupted).ShouldBeEmpty();
    }

    // Another connection has the queue for itself; so too when the node of a queue is down, which the broker answers by "not found".
    [SkippableFact]
    public async Task A_queue_that_cannot_be_had_for_now_makes_nothing_dead_and_harms_no_other()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        var holder = await broker.ConnectAsync();
        await using (var channel = await holder.CreateChannelAsync())
            await channel.QueueDeclareAsync("packing", durable: true, exclusive: true, autoDelete: false);
        await using var producer = await Start(
            database, broker.Address,
            o =>
            {
                Quick(o);
                o.PartitionBy<PackOrder>(m => -m.Number);
                (o.Options.MaxAttempts, o.Options.MessageDeliveryTimeout) = (1, TimeSpan.FromMilliseconds(500));
            },
            start: false);
        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Send(new Uri("queue:packing"), new PackOrder(1));
            await db.SaveChangesAsync();
        });
        await PublishMany(producer, first: 1, count: 200);

        await producer.StartAsync();
        await Received.WaitForCount(200);
        await Eventually.Is(() => Logs.Of(NotSent).Any());
        (await producer.Rows()).ShouldHaveSingleItem().ShouldSatisfyAllConditions(row => row.State.ShouldBe(OutboxMessageState.Pending), row => row.Attempts.ShouldBe(0));
        Logs.Of(Interrupted).ShouldBeEmpty();
        await holder.DisposeAsync();

        await Eventually.Is(async () => (await producer.Rows()).Count == 0);
    }

    // The relay sends by a transport of its own, and nobody who looks on may notice.
    [SkippableFact]
    public async Task Filters_observers_and_spans_of_the_bus_see_what_is_relayed()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        var seen = new SeenSends();
        await using var producer = await Start(
            database, broker.Address, Quick, start: false, transport: cfg => cfg.ConfigurePublish(pipe => pipe.UseExecute(_ => seen.Add("filter", null))));
        await Publish(producer, 1, "ann");
        var id = (await producer.Rows()).Single().MessageId;
        seen.Clear();
        var bus = producer.Services.GetRequiredService<IBusControl>();
        bus.ConnectSendObserver(seen);
        bus.ConnectPublishObserver(seen);
        using var spans = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "MassTransit",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span => seen.Add($"{span.DisplayName}, {span.Kind}", Guid.TryParse(span.GetTagItem("messaging.masstransit.message_id") as string, out var of) ? of : Guid.Empty),
        };
        ActivitySource.AddActivityListener(spans);

        await producer.StartAsync();
        await Received.WaitForCount(1);
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);

        seen.Of(null).ShouldBe(["filter"]);                  // before the message says who it is
        seen.Of(id).Where(who => !who.StartsWith("orders", StringComparison.Ordinal))
            .ShouldBe(["PrePublish", "PostPublish", "Outbox.ConformanceTests:OrderPlaced send, Producer"], ignoreOrder: true);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_that_a_filter_of_the_bus_refuses_harms_no_other_and_is_dead_in_the_end(bool published)
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        var refusing = false;
        await using var producer = await Start(
            database, broker.Address,
            o =>
            {
                Quick(o);
                o.Options.MaxAttempts = 3;
            },
            start: false,
            transport: cfg =>
            {
                cfg.ConfigurePublish(pipe => pipe.UseExecute(Refuse));
                cfg.ConfigureSend(pipe => pipe.UseExecute(Refuse));
            });
        await producer.InScope(async (db, outbox) =>
        {
            await (published ? outbox.Publish(new PackOrder(0)) : outbox.Send(new Uri("queue:packing"), new PackOrder(0)));
            await db.SaveChangesAsync();
        });
        await PublishMany(producer, first: 1, count: 200);
        refusing = true;

        await producer.StartAsync();

        await Eventually.Is(async () => await producer.Rows() is [{ State: OutboxMessageState.Dead, Attempts: 3 }]);
        (await producer.Rows()).Single().LastError.ShouldStartWith("InvalidOperationException: Not this one.");
        await Received.WaitForCount(200);
        Logs.Of(NotSent).ShouldHaveSingleItem().Text.ShouldContain("(Refused)");
        Logs.Of(Interrupted).ShouldBeEmpty();

        void Refuse(SendContext context)
        {
            if (refusing && context.DestinationAddress!.ToString().Contains("pack", StringComparison.OrdinalIgnoreCase))
                throw new InvalidOperationException("Not this one.");
        }
    }

    // A type that was published by another kind of exchange before, for example; or one that this user may not declare.
    [SkippableFact]
    public async Task An_exchange_that_the_broker_refuses_harms_no_other_and_its_messages_are_dead_in_the_end()
    {
        const string Exchange = "Outbox.ConformanceTests:PackOrder";
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        await using var connection = await broker.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync(Exchange, ExchangeType.Direct, durable: true);
        await using var producer = await Start(
            database, broker.Address,
            o =>
            {
                Quick(o);
                o.PartitionBy<PackOrder>(m => -m.Number);
                (o.Options.MaxAttempts, o.Options.MaxRetryDelay) = (5, TimeSpan.FromMilliseconds(200));
            },
            start: false);
        await producer.InScope(async (db, outbox) =>
        {
            for (var number = 1; number <= 20; number++)
                await outbox.Publish(new PackOrder(number));
            await db.SaveChangesAsync();
        });
        await PublishMany(producer, first: 1, count: 200);

        await producer.StartAsync();

        await Eventually.Is(async () => (await producer.Rows()) is { Count: 20 } rows && rows.TrueForAll(r => r is { State: OutboxMessageState.Dead, Attempts: 5 }));
        (await producer.Rows())[0].LastError.ShouldNotBeNull().ShouldContain("PRECONDITION_FAILED");
        await Received.WaitForCount(200);
        Logs.Of(Interrupted).ShouldBeEmpty();
        Logs.Of(BrokerLost).ShouldBeEmpty();

        // What was refused is declared anew when it is asked for again.
        await channel.ExchangeDeleteAsync(Exchange);
        var packed = new SignalLog<int>();
        await using var packing = await StartConsumer<PackOrder>(broker.Address, "packing", context => packed.Add(context.Message.Number));
        var dead = (await producer.Rows()).ConvertAll(r => r.SequenceNumber);
        (await producer.Services.GetRequiredService<IDeadMessages<ShopDb>>().Requeue(dead)).ShouldBe(20);
        (await packed.WaitForCount(20)).ShouldBe(Enumerable.Range(1, 20), ignoreOrder: true);
        Received.Count.ShouldBe(200);
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
        await Received.WaitForCount(1);
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
        await using var reader = await StartConsumer<OrderPlaced>(broker.Address, "orders", context => Received.Add(context.Message), oneByOne: true);
        await Received.WaitForCount(Messages);

        Received.Values.Select(m => m.Number).Order().ShouldBe(Enumerable.Range(0, Messages));
        foreach (var key in Received.Values.GroupBy(m => m.Customer, StringComparer.Ordinal))
            key.Select(m => m.Number).ShouldBeInOrder();
    }

    [SkippableFact]
    public async Task Everything_the_sender_says_arrives()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        var arrivals = new SignalLog<Arrival>();
        var properties = new SignalLog<IReadOnlyBasicProperties>();
        await using var consumer = await StartConsumer<OrderPlaced>(broker.Address, "orders", context =>
        {
            properties.Add(((RabbitMqReceiveContext)context.ReceiveContext).Properties);
            arrivals.Add(Arrival.Of(context));
        });
        await using var producer = await Start(database, broker.Address, Quick);
        var said = new Saying(new Uri(broker.Address, "."));

        await producer.InScope(said.Publish);

        said.ShouldHaveArrived((await arrivals.WaitForCount(1)).Single());
        var told = properties.Values.Single();
        (told.MessageId, told.CorrelationId, told.Persistent).ShouldBe((said.MessageId.ToString(), said.CorrelationId.ToString(), true));
        double.Parse(told.Expiration.ShouldNotBeNull(), CultureInfo.InvariantCulture).ShouldBeInRange(1, Saying.TimeToLive.TotalMilliseconds);
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
}
