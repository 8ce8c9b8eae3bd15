using MassTransit;
using Outbox.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Outbox.ConformanceTests.Servers;

public class RabbitMqServerTests
{
    private static readonly CreateChannelOptions Confirming = new(
        publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);

    [SkippableFact]
    public async Task Virtual_hosts_share_no_queues_and_their_queues_are_counted()
    {
        var broker = await Require.RabbitMqAsync();
        (await Require.RabbitMqAsync()).ShouldBeSameAs(broker);
        await using var one = await broker.CreateVirtualHostAsync();
        await using var other = await broker.CreateVirtualHostAsync();

        await using var connection = await one.ConnectAsync();
        await PublishAsync(connection, "Größe", 3);
        await using var channel = await connection.CreateChannelAsync();
        await channel.BasicGetAsync("Größe", autoAck: false);

        await Eventually.Holds(async () =>
            (await one.QueuesAsync()).ShouldBe([new QueueCount("Größe", Ready: 2, Unacknowledged: 1, Consumers: 0)]));
        (await one.FindQueueAsync("Größe")).ShouldNotBeNull().Messages.ShouldBe(3);
        (await one.FindQueueAsync("none")).ShouldBeNull();
        (await other.QueuesAsync()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task MassTransit_takes_the_address_as_it_is()
    {
        var broker = await Require.RabbitMqAsync();
        await using var host = await broker.CreateVirtualHostAsync();
        var bus = Bus.Factory.CreateUsingRabbitMq(configure =>
        {
            configure.Host(host.Address);
            configure.ReceiveEndpoint("taken", endpoint => endpoint.Handler<Ping>(_ => Task.CompletedTask));
        });

        await bus.StartAsync();
        await bus.Publish(new Ping());
        await Eventually.Holds(async () => (await host.FindQueueAsync("taken")).ShouldBe(new QueueCount("taken", 0, 0, Consumers: 1)));
        await bus.StopAsync();
    }

    [SkippableFact]
    public async Task A_broker_that_was_killed_paused_or_stopped_comes_back_with_what_it_confirmed()
    {
        await using var broker = await Require.PrivateRabbitMqAsync();
        await using var host = await broker.CreateVirtualHostAsync();
        await using (var connection = await host.ConnectAsync())
            await PublishAsync(connection, "kept", 2);

        await broker.KillAsync();
        broker.IsRunning.ShouldBeFalse();
        await Should.ThrowAsync<BrokerUnreachableException>(host.ConnectAsync);

        await broker.StartAsync();
        (await host.FindQueueAsync("kept")).ShouldNotBeNull().Messages.ShouldBe(2);

        broker.Pause();
        var connecting = host.ConnectAsync();
        broker.Resume();
        await (await connecting).DisposeAsync();

        await broker.StopAsync();
        broker.IsRunning.ShouldBeFalse();
        await broker.StartAsync();
        (await host.FindQueueAsync("kept")).ShouldNotBeNull().Messages.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_body_over_the_maximum_closes_the_channel()
    {
        await using var broker = await Require.PrivateRabbitMqAsync(new RabbitMqOptions { MaxMessageSize = 1_000 });
        await using var host = await broker.CreateVirtualHostAsync();
        await using var connection = await host.ConnectAsync();
        await PublishAsync(connection, "small", 1, bytes: 1_000);

        var refused = await Should.ThrowAsync<Exception>(() => PublishAsync(connection, "large", 1, bytes: 1_001));

        refused.ToString().ShouldContain("larger than configured max size");
    }

    public sealed record Ping;

    private static async Task PublishAsync(IConnection connection, string queue, int messages, int bytes = 1)
    {
        await using var channel = await connection.CreateChannelAsync(Confirming);
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false);
        var properties = new BasicProperties { Persistent = true };
        for (var i = 0; i < messages; i++)
            await channel.BasicPublishAsync("", queue, mandatory: true, properties, new byte[bytes]);
    }
}
