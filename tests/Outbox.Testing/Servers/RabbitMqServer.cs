using MassTransit;

namespace Outbox.Testing;

/// <summary>
/// A RabbitMQ broker for tests: the one named by <c>OUTBOX_RABBITMQ</c> (an AMQP address; its management plugin must
/// answer too), else a private node, started from the machine's own binaries.
/// </summary>
public sealed class RabbitMqServer : IAsyncDisposable
{
    private static readonly Lazy<Task<RabbitMqServer>> Shared = new(() =>
        Named is { } address ? Task.FromResult(new RabbitMqServer(address, new ManagementAdmin(address))) : StartNewAsync());

    private readonly IBrokerAdmin _admin;
    private readonly PrivateRabbitMq? _node;

    private RabbitMqServer(Uri address, IBrokerAdmin admin, PrivateRabbitMq? node = null)
    {
        Address = address;
        _admin = admin;
        _node = node;
    }

    /// <summary>Why there is no broker to test with; null when there is one.</summary>
    public static string? Missing => Named is null ? MissingBinaries : null;

    /// <summary>Why no private broker can be started; null when one can.</summary>
    public static string? MissingBinaries => RabbitMqBinaries.Find() is not null ? null
        : "No RabbitMQ: set OUTBOX_RABBITMQ to an AMQP address, or install it (Debian, Ubuntu: apt-get install rabbitmq-server).";

    /// <summary>The broker's AMQP address, with user and password, of the default virtual host.</summary>
    public Uri Address { get; }

    private static Uri? Named =>
        Environment.GetEnvironmentVariable("OUTBOX_RABBITMQ") is { Length: > 0 } named ? new Uri(named) : null;

    private PrivateRabbitMq Node =>
        _node ?? throw new InvalidOperationException("The broker of OUTBOX_RABBITMQ is not ours to stop; ask for a private one.");

    /// <summary>The broker that all tests of this process share; started by the first who asks, never stopped by one.</summary>
    public static Task<RabbitMqServer> SharedAsync() => Shared.Value;

    /// <summary>Starts a broker of one's own on a free port, with an empty data folder.</summary>
    public static async Task<RabbitMqServer> StartNewAsync(RabbitMqOptions? options = null)
    {
        const int attempts = 3;
        for (var attempt = 1; ; attempt++)
        {
            var node = PrivateRabbitMq.Create(options ?? new RabbitMqOptions());
            try
            {
                await node.StartAsync();
                return new RabbitMqServer(node.Address, node, node);
            }
            catch (InvalidOperationException) when (attempt < attempts)
            {
                // A port that was free may be somebody else's by the time it is wanted: again, with others.
                await node.DisposeAsync();
            }
            catch
            {
                await node.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>Creates an empty virtual host, so that tests share no queues; disposing it deletes it.</summary>
    public async Task<RabbitMqVirtualHost> CreateVirtualHostAsync()
    {
        var name = $"test-{NewId.NextGuid():N}";
        await _admin.CreateVirtualHostAsync(name);
        return new RabbitMqVirtualHost(name, new UriBuilder(Address) { Path = name }.Uri, _admin, this);
    }

    /// <summary>Stops the private broker in good order; durable queues and persistent messages stay.</summary>
    public Task StopAsync() => Node.StopAsync(UnixSignal.Terminate);

    /// <summary>Stops the private broker as a crash would (SIGKILL).</summary>
    public Task KillAsync() => Node.StopAsync(UnixSignal.Kill);

    /// <summary>Starts the private broker again, on the same port, with its data.</summary>
    public Task StartAsync() => Node.StartAsync();

    /// <summary>Pauses the private broker (SIGSTOP): connections stay open and nobody answers.</summary>
    public void Pause() => Node.Send(UnixSignal.Stop);

    /// <summary>Lets the private broker go on after <see cref="Pause"/>.</summary>
    public void Resume() => Node.Send(UnixSignal.Continue);

    /// <summary>Whether it runs; one that is not ours always does.</summary>
    public bool IsRunning => _node?.IsRunning ?? true;

    /// <summary>Ends the private broker and deletes its data; a broker that was named stays as it is.</summary>
    public ValueTask DisposeAsync() => _node?.DisposeAsync() ?? ValueTask.CompletedTask;
}
