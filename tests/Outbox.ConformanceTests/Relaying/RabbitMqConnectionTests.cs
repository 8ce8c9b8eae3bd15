using System.Reflection;
using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Relaying;
using Outbox.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>A broker that goes away, dies, or cannot be reached, and connections that end without saying so.</summary>
public sealed class RabbitMqConnectionTests : RabbitMqShop
{
    private const int Batch = 2_000;

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
            await Received.WaitForCount(1);
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

        await Eventually.Is(() => Received.Values.Select(m => m.Number).Distinct().Count() == number + 1, Eventually.Limit * 2);
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);
        Logs.Of(BrokerLost).ShouldHaveSingleItem().Text.ShouldBe("The broker was expected to be reachable and is not; messages stay in the outbox until it is.");
        Logs.Of(BrokerBack).ShouldHaveSingleItem();
        Logs.Of(NotSent).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Why_the_broker_cannot_be_reached_is_said()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();

        await using var producer = await Start(
            database, broker.Address, Quick, transport: cfg => cfg.ConfigureSend(send => send.UseExecute(_ => throw new InvalidOperationException("Not with this filter."))));

        await Eventually.Is(() => Logs.Of(BrokerLost).Any());
        Logs.Of(BrokerLost).ShouldHaveSingleItem().Exception.ShouldNotBeNull().ToString().ShouldContain("Not with this filter.");
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

    // The driver can lose confirmations of what was on its way, in a few deaths out of many: OUTBOX_SOAK=1 makes more of them.
    [SkippableFact]
    public async Task A_broker_that_dies_at_full_speed_is_found_again_each_time()
    {
        var deaths = Environment.GetEnvironmentVariable("OUTBOX_SOAK") == "1" ? 25 : 2;
        await using var server = await Require.PrivateRabbitMqAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await (await StartConsumer(server.Address)).DisposeAsync();      // its queue stays
        await using var producer = await Start(database, server.Address, Quick);

        for (var death = 0; death < deaths; death++)
            await DieAtFullSpeed(server, producer, first: death * Batch);

        await using var consumer = await StartConsumer(server.Address);
        await Eventually.Is(() => Received.Values.Select(m => m.Number).Distinct().Count() == deaths * Batch, Eventually.Limit * 4);
    }

    // Whether the driver tells all channels of the end is a matter of chance, and of how busy the machine is: OUTBOX_SOAK=1 makes more deaths.
    [SkippableFact]
    public async Task Consumers_of_a_bus_whose_relay_is_at_full_speed_are_there_again_after_each_death_of_the_broker()
    {
        var deaths = Environment.GetEnvironmentVariable("OUTBOX_SOAK") == "1" ? 25 : 3;
        await using var server = await Require.PrivateRabbitMqAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await (await StartConsumer(server.Address)).DisposeAsync();      // its queue stays
        var heard = new SignalLog<(string Queue, int Death)>();
        await using var producer = await Start(database, server.Address, Quick, queues: ["one", "two", "three"], heard: (queue, message) => heard.Add((queue, message.Number)));

        for (var death = 1; death <= deaths; death++)
        {
            await DieAtFullSpeed(server, producer, first: death * Batch);
            await producer.InScope(async (db, outbox) =>
            {
                await outbox.Publish(new OrderChanged(death));
                await db.SaveChangesAsync();
            });
            foreach (var queue in (string[])["one", "two", "three"])
                await heard.WaitFor(entry => entry == (queue, death), Eventually.Limit * 2);
        }
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

        await Eventually.Is(() => Logs.Of(UntoldChannel).Count() == 2);
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
        await Publish(producer, 1, "ann");
        await Received.WaitForCount(1);
        var lost = await ConnectionOf(host);
        EndUntold(lost);

        await Publish(producer, 2, "ann");

        (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([1, 2]);
        await Eventually.Is(async () => (await producer.Rows()).Count == 0);
        Logs.Of(Interrupted).ShouldBeEmpty();
        await Eventually.Is(() => Logs.Of(DeadConnection).Any());
        Logs.Of(DeadConnection).ShouldHaveSingleItem().Text.ShouldContain("As the test says.");
        await Eventually.Is(async () => await ConnectionOf(host) is { IsOpen: true } found && found != lost);
    }

    [SkippableFact]
    public async Task What_the_relay_leaves_behind_is_closed_and_not_used_again()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        await using var proxy = TcpProxy.To(broker.Address.Host, broker.Address.Port);
        await using var producer = await Start(database, Through(proxy, broker.Address), Quick);
        await producer.Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, Eventually.Limit);
        await Publish(producer, 1, "ann");
        await Received.WaitForCount(1);
        var before = proxy.Connections;
        using var route = RouteOf(producer);
        var endpoint = await route.To(Orders);

        await endpoint.Send(new OrderPlaced(2));
        proxy.Connections.ShouldBe(before + 1);
        var first = await ConnectionOf(route);
        await route.Abandon();
        await Eventually.Is(() => proxy.Connections == before);
        await endpoint.Send(new OrderPlaced(3));

        (await ConnectionOf(route)).ShouldNotBe(first);
        (await Received.WaitForCount(3)).Select(m => m.Number).ShouldBe([1, 2, 3]);
        await route.Abandon();
        await Eventually.Is(() => proxy.Connections == before);
    }

    [SkippableFact]
    public async Task A_connection_of_the_relay_that_is_closed_and_does_not_say_so_is_not_used_again_and_keeps_no_send_waiting()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var consumer = await StartConsumer(broker.Address);
        await using var proxy = TcpProxy.To(broker.Address.Host, broker.Address.Port);
        await using var producer = await Start(database, Through(proxy, broker.Address), Quick, start: false);
        using var route = RouteOf(producer);
        var endpoint = await route.To(Orders);
        await endpoint.Send(new OrderPlaced(1));

        EndUntold(await ConnectionOf(route));
        await endpoint.Send(new OrderPlaced(2)).WaitAsync(Eventually.Limit);
        proxy.Stall();
        var unanswered = endpoint.Send(new OrderPlaced(3));
        EndUntold(await ConnectionOf(route));
        route.Inspect();

        (await Should.ThrowAsync<Exception>(unanswered.WaitAsync(Eventually.Limit))).Message.ShouldContain("As the test says.");
        (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([1, 2]);
    }

    // What cannot be declared because the broker is away must not be taken for something that the broker refuses.
    [SkippableFact]
    public async Task A_broker_that_is_away_is_told_from_a_refusal()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var proxy = TcpProxy.To(broker.Address.Host, broker.Address.Port);
        await using var producer = await Start(database, Through(proxy, broker.Address), Quick, start: false);
        using var route = RouteOf(producer);
        var endpoint = await route.To(Orders);

        proxy.Cut();
        (await Should.ThrowAsync<ConnectionException>(endpoint.Send(new OrderPlaced(1)))).Message.ShouldContain($":{proxy.Port}");
        proxy.Restore();
        await endpoint.Send(new OrderPlaced(2));
        EndUntold(await ConnectionOf(route));
        proxy.Cut();

        await Should.ThrowAsync<ConnectionException>((await route.To(new Uri("queue:others"))).Send(new OrderPlaced(3)));
    }

    // A broker that was set up anew while the relay had nothing to send.
    [SkippableFact]
    public async Task What_an_endpoint_needs_is_declared_anew_by_the_next_connection()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var producer = await Start(database, broker.Address, Quick, start: false);
        using var route = RouteOf(producer);
        var endpoint = await route.To(Orders);
        await endpoint.Send(new OrderPlaced(1));
        await using (var connection = await broker.ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync())
        {
            await channel.QueueDeleteAsync("orders");
            await channel.ExchangeDeleteAsync("orders");
        }

        EndUntold(await ConnectionOf(route));
        await endpoint.Send(new OrderPlaced(2)).WaitAsync(Eventually.Limit);

        await using var consumer = await StartConsumer(broker.Address);
        (await Received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(2);
    }

    // As after a stall of the network: the broker answers when nobody waits for it any more.
    [SkippableFact]
    public async Task A_connection_that_is_being_made_when_it_is_left_behind_is_closed_once_it_is_made()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using var proxy = TcpProxy.To(broker.Address.Host, broker.Address.Port);
        await using var producer = await Start(database, Through(proxy, broker.Address), Quick, start: false);
        using var route = RouteOf(producer);

        proxy.Stall(TcpDirection.ToClient);
        var sending = (await route.To(Orders)).Send(new OrderPlaced(1));
        await Eventually.Is(() => proxy.Connections == 1);
        await route.Abandon();
        await Should.ThrowAsync<Exception>(sending);
        proxy.Resume();

        await Eventually.Is(() => proxy.Connections == 0);
    }

    /// <summary>The broker dies while the relay is at it, and comes back; all is sent in the end.</summary>
    private static async Task DieAtFullSpeed(RabbitMqServer server, ShopHost producer, int first)
    {
        await PublishMany(producer, first, Batch);
        await Eventually.Is(async () => await producer.Query(db => db.OutboxMessages.CountAsync()) < Batch);
        await server.KillAsync();
        await server.StartAsync();
        await Eventually.Is(async () => await producer.Query(db => db.OutboxMessages.CountAsync()) == 0, Eventually.Limit * 4);
    }

    private static readonly Uri Orders = new("queue:orders");

    private static Uri Through(TcpProxy proxy, Uri broker) => new UriBuilder(broker) { Port = proxy.Port }.Uri;

    private static RabbitMqRoute RouteOf(ShopHost host)
        => new((IRabbitMqHostConfiguration)host.Services.GetRequiredService<IBusInstance>().HostConfiguration);

    private static void EndUntold(IConnection connection) => connection.GetType()
        .GetField("_closeReason", BindingFlags.Instance | BindingFlags.NonPublic)!
        .SetValue(connection, new ShutdownEventArgs(ShutdownInitiator.Library, 541, "As the test says."));

    private static async Task<IConnection> ConnectionOf(IRabbitMqHostConfiguration host)
    {
        IConnection? connection = null;
        await host.ConnectionContextSupervisor.Send(Pipe.Execute<ConnectionContext>(context => connection = context.Connection));
        return connection!;
    }

    private static async Task<IConnection> ConnectionOf(RabbitMqRoute route)
    {
        var opening = (Task<ConfirmedChannel>)route.GetType().GetField("_opening", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(route)!;
        return ((ChannelContext)await opening).ConnectionContext.Connection;
    }
}
