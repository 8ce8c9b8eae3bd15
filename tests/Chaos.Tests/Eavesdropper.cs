using System.Collections.Concurrent;
using Outbox.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Chaos.Tests;

/// <summary>A queue beside the consumers' own, which gets a copy of every message of one type: what the relay sends twice is seen here.</summary>
internal sealed class Eavesdropper : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly ConcurrentDictionary<Guid, int> _heard = [];

    private Eavesdropper(IConnection connection, IChannel channel) => (_connection, _channel) = (connection, channel);

    /// <summary>How many different messages were heard.</summary>
    public int Count => _heard.Count;

    /// <summary>The messages that were heard more than once.</summary>
    public IReadOnlyList<Guid> Repeated => [.. _heard.Where(message => message.Value > 1).Select(message => message.Key)];

    /// <summary>Listens from now on.</summary>
    /// <param name="broker">The virtual host.</param>
    /// <param name="exchange">The message type's exchange, which must be there already.</param>
    public static async Task<Eavesdropper> ListenAsync(RabbitMqVirtualHost broker, string exchange)
    {
        const string queue = "eavesdropper";
        var connection = await broker.ConnectAsync();
        var channel = await connection.CreateChannelAsync();
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false);
        await channel.QueueBindAsync(queue, exchange, routingKey: "");

        var listening = new Eavesdropper(connection, channel);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            listening._heard.AddOrUpdate(Guid.Parse(delivery.BasicProperties.MessageId!), 1, (_, times) => times + 1);
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer);
        return listening;
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
