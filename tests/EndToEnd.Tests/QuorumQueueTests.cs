using Outbox.Testing;
using RabbitMQ.Client;

namespace EndToEnd.Tests;

/// <summary>A quorum queue counts deliveries, and RabbitMQ 4 by itself gives a message up after twenty of them.</summary>
public class QuorumQueueTests
{
    private const string Queue = "points-credit-welcome-points";
    private const int Deliveries = 30;

    [SkippableFact]
    public async Task A_message_whose_consumer_died_again_and_again_is_still_there()
    {
        await using var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), await Require.RabbitMqAsync(), quorumQueues: true);
        await deployment.StartAsync();
        await Eventually.Is(async () => await deployment.Broker.FindQueueAsync(Queue) is not null);
        await deployment.Points[0].StopAsync();
        var user = (await deployment.Client.RegisterAsync("ada")).Id;

        await using (var connection = await deployment.Broker.ConnectAsync())
        {
            // Refused by the broker if the queue was declared in any other way; an older broker has no limit of its own.
            await using var channel = await connection.CreateChannelAsync();
            await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["x-queue-type"] = "quorum",
                ["x-delivery-limit"] = int.MaxValue,
            });
            for (var delivery = 0; delivery < Deliveries; delivery++)
            {
                BasicGetResult? message = null;
                await Eventually.Is(async () => (message = await channel.BasicGetAsync(Queue, autoAck: false)) is not null);
                await channel.BasicNackAsync(message!.DeliveryTag, multiple: false, requeue: true);
            }
        }

        await deployment.StartAsync();
        (await deployment.SettleAsync([user])).Differences([user]).ShouldBeEmpty();
    }
}
