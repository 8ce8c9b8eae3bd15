using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Outbox.Testing;
using RabbitMQ.Client;

namespace Benchmarks;

/// <summary>The private servers of a run, and hosts and queues on them.</summary>
internal sealed class Bench : IAsyncDisposable
{
    private readonly PostgresServer _postgres;
    private readonly RabbitMqServer _rabbit;

    private Bench(PostgresServer postgres, RabbitMqServer rabbit) => (_postgres, _rabbit) = (postgres, rabbit);

    public Uri RabbitMq => _rabbit.Address;

    public static async Task<Bench> StartAsync()
        => new(await PostgresServer.StartNewAsync(), await RabbitMqServer.StartNewAsync());

    public async Task<string> NewDatabaseAsync() => $"{await _postgres.CreateDatabaseAsync()};Max Auto Prepare=50";

    public Task<ServersTime> ServersTimeAsync() => ServersTime.OfAsync(_postgres.ConnectionString);

    /// <summary>How many transactions a database has committed: those that only read too, and the resets of the driver's pool.</summary>
    public static async Task<long> CommitsAsync(string connectionString)
    {
        // What a session has counted is surely there only when it has ended.
        NpgsqlConnection.ClearAllPools();
        await using var source = NpgsqlDataSource.Create(connectionString);
        while (await ReadAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        return await ReadAsync("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");

        async Task<long> ReadAsync(string sql)
        {
            await using var command = source.CreateCommand(sql);
            return (long)(await command.ExecuteScalarAsync())!;
        }
    }

    public Task DropDatabaseAsync(string connectionString) => _postgres.DropDatabaseAsync(connectionString);

    public async Task<string> ServerVersionsAsync()
    {
        await using var source = NpgsqlDataSource.Create(_postgres.ConnectionString);
        await using var command = source.CreateCommand("SELECT current_setting('server_version') || ', synchronous_commit=' || current_setting('synchronous_commit') || ', fsync=' || current_setting('fsync')");
        await using var connection = await ConnectAsync();
        var version = connection.ServerProperties?["version"] is byte[] bytes ? System.Text.Encoding.UTF8.GetString(bytes) : "?";
        return $"PostgreSQL {await command.ExecuteScalarAsync()}, RabbitMQ {version}";
    }

    public Task<IConnection> ConnectAsync() => new ConnectionFactory { Uri = RabbitMq }.CreateConnectionAsync();

    /// <summary>A durable queue bound to the exchange that a message type is published to.</summary>
    public async Task BindAsync(string queue, string exchange)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true);
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false);
        await channel.QueueBindAsync(queue, exchange, "");
        await channel.QueuePurgeAsync(queue);
    }

    public async Task PurgeAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.QueuePurgeAsync(queue);
    }

    /// <summary>The first message of a queue, which stays there.</summary>
    public async Task<BasicGetResult> PeekAsync(string queue)
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        var found = await channel.BasicGetAsync(queue, autoAck: false) ?? throw new InvalidOperationException($"The queue {queue} is empty.");
        await channel.BasicNackAsync(found.DeliveryTag, multiple: false, requeue: true);
        return found;
    }

    public IHost NewHost(string connectionString, Action<IBusRegistrationConfigurator> bus, Action<IRabbitMqBusFactoryConfigurator, IBusRegistrationContext>? rabbit = null)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddDbContext<BenchDb>(options => options.UseNpgsql(connectionString));
        builder.Services.AddMassTransit(x =>
        {
            x.DisableUsageTelemetry();
            bus(x);
            x.UsingRabbitMq((context, cfg) =>
            {
                cfg.Host(RabbitMq);
                rabbit?.Invoke(cfg, context);
            });
        });
        return builder.Build();
    }

    public async ValueTask DisposeAsync()
    {
        await _rabbit.DisposeAsync();
        await _postgres.DisposeAsync();
    }
}
