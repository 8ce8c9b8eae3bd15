using RabbitMQ.Client;

namespace Outbox.Testing;

/// <summary>A virtual host of a test's own.</summary>
public sealed class RabbitMqVirtualHost : IAsyncDisposable
{
    private readonly IBrokerAdmin _admin;
    private readonly RabbitMqServer _server;

    internal RabbitMqVirtualHost(string name, Uri address, IBrokerAdmin admin, RabbitMqServer server)
    {
        Name = name;
        Address = address;
        _admin = admin;
        _server = server;
    }

    /// <summary>The virtual host's name.</summary>
    public string Name { get; }

    /// <summary>The AMQP address with user, password and virtual host; MassTransit's <c>Host(uri)</c> takes it as it is.</summary>
    public Uri Address { get; }

    /// <summary>The queues with their counts, by name.</summary>
    public Task<IReadOnlyList<QueueCount>> QueuesAsync() => _admin.QueuesAsync(Name);

    /// <summary>The queue of that name, or null.</summary>
    public async Task<QueueCount?> FindQueueAsync(string name) => (await QueuesAsync()).FirstOrDefault(queue => queue.Name == name);

    /// <summary>A connection by RabbitMQ's own client, which does not reconnect.</summary>
    public Task<IConnection> ConnectAsync() =>
        new ConnectionFactory { Uri = Address, AutomaticRecoveryEnabled = false }.CreateConnectionAsync();

    /// <summary>Deletes the virtual host with all in it; a broker that was stopped keeps it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_server.IsRunning)
            await _admin.DeleteVirtualHostAsync(Name);
    }
}
