namespace Outbox.Testing;

/// <summary>What tests need of a broker beyond AMQP.</summary>
internal interface IBrokerAdmin
{
    Task CreateVirtualHostAsync(string name);

    Task DeleteVirtualHostAsync(string name);

    Task<IReadOnlyList<QueueCount>> QueuesAsync(string virtualHost);
}
