using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>The database goes away when the broker has confirmed and the row is not deleted yet.</summary>
public sealed class DatabaseOutageTests
{
    [SkippableFact]
    public async Task The_relay_remembers_what_was_confirmed_and_deletes_it_when_the_database_is_back()
    {
        await using var outage = await Outage.CreateAsync();
        await using var producer = await outage.ConfirmAndKill();

        await outage.Server.StartAsync();

        await Eventually.Is(async () => (await producer.Rows()).Count == 0, Eventually.Limit * 2);
        await outage.Passed(producer);
        outage.Delivered.ShouldBe(4);                        // none of the three twice
        outage.Consumed.Values.ShouldBe([1, 2, 3, 100], ignoreOrder: true);
    }

    [SkippableFact]
    public async Task When_the_relay_goes_with_the_database_the_next_one_sends_again_and_the_inbox_takes_it_once()
    {
        await using var outage = await Outage.CreateAsync();
        await (await outage.ConfirmAndKill()).DisposeAsync();

        await outage.Server.StartAsync();
        await using var next = await outage.StartProducer();

        await Eventually.Is(async () => (await next.Rows()).Count == 0, Eventually.Limit * 2);
        await outage.Passed(next);
        outage.Delivered.ShouldBe(7);                        // all three twice
        outage.Consumed.Values.ShouldBe([1, 2, 3, 100], ignoreOrder: true);
    }

    /// <summary>A producer on a database of its own to kill, a broker, and a consumer with an inbox on another database.</summary>
    private sealed class Outage(PostgresServer server, TestDatabase database, RabbitMqVirtualHost broker, TestDatabase inbox) : IAsyncDisposable
    {
        private readonly Deliveries _deliveries = new();
        private ShopHost? _consumer;

        public PostgresServer Server => server;

        /// <summary>How often the broker has delivered, and was told that it was done with.</summary>
        public int Delivered => _deliveries.Ended.Count;

        /// <summary>What the consumer ran for.</summary>
        public SignalLog<int> Consumed { get; } = new();

        public static async Task<Outage> CreateAsync()
        {
            var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
            var server = await Require.PrivatePostgresAsync();
            var outage = new Outage(server, await TestDatabase.PostgresAsync(server), broker, TestDatabase.Sqlite());
            outage._consumer = await outage.StartConsumer();
            return outage;
        }

        /// <summary>Three messages are confirmed and delivered, and their rows cannot be deleted; then the database is killed.</summary>
        public async Task<ShopHost> ConfirmAndKill()
        {
            var producer = await StartProducer(start: false);
            for (var number = 1; number <= 3; number++)
                await Publish(producer, number);
            await using var holder = new NpgsqlConnection(database.ConnectionString);
            await holder.OpenAsync();
            await using var holding = await holder.BeginTransactionAsync();
            await using (var hold = new NpgsqlCommand("""SELECT 1 FROM "OutboxMessage" FOR UPDATE""", holder, holding))
                await hold.ExecuteNonQueryAsync();

            await producer.StartAsync();
            await Consumed.WaitForCount(3);
            await Eventually.Is(async () => await IsDeleting());
            await server.KillAsync();
            return producer;
        }

        /// <summary>A message that comes after all others has arrived, and they have, too.</summary>
        public async Task Passed(ShopHost producer)
        {
            await Publish(producer, 100);
            await Consumed.WaitFor(number => number == 100);
            await Eventually.Is(async () => await broker.FindQueueAsync("orders") is { Ready: 0, Unacknowledged: 0 });
        }

        public Task<ShopHost> StartProducer(bool start = true) => ShopHost.StartAsync(database, o =>
        {
            o.Start = start;
            o.Transport = bus => bus.UsingRabbitMq((_, cfg) => cfg.Host(broker.Address));
        });

        public async ValueTask DisposeAsync()
        {
            await (_consumer?.DisposeAsync() ?? ValueTask.CompletedTask);
            await inbox.DisposeAsync();
            await database.DisposeAsync();
            await broker.DisposeAsync();
            await server.DisposeAsync();
        }

        private Task<ShopHost> StartConsumer() => ShopHost.StartAsync(inbox, o =>
        {
            o.Services = services => services.AddSingleton(_deliveries).AddReceiveObserver<DeliveryObserver>();
            o.Bus = bus => bus.AddHandler(async (ConsumeContext<OrderPlaced> context) => Consumed.Add(context.Message.Number));
            o.Transport = bus => bus.UsingRabbitMq((context, cfg) =>
            {
                cfg.Host(broker.Address);
                cfg.ReceiveEndpoint("orders", endpoint =>
                {
                    endpoint.UseEntityFrameworkOutbox<ShopDb>(context);
                    endpoint.ConfigureConsumers(context);
                });
            });
        });

        private async Task<bool> IsDeleting()
        {
            await using var connection = new NpgsqlConnection(server.ConnectionString);
            await connection.OpenAsync();
            await using var waiting = new NpgsqlCommand(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE%'", connection);
            return (long)(await waiting.ExecuteScalarAsync())! > 0;
        }

        private static Task Publish(ShopHost producer, int number) => producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(number));
            await db.SaveChangesAsync();
        });
    }

    private sealed class Deliveries
    {
        public SignalLog<Guid?> Ended { get; } = new();
    }

    private sealed class DeliveryObserver(Deliveries deliveries) : IReceiveObserver
    {
        public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostReceive(ReceiveContext context)
        {
            deliveries.Ended.Add(context.GetMessageId());
            return Task.CompletedTask;
        }

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class => Task.CompletedTask;

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class => Task.CompletedTask;

        public Task ReceiveFault(ReceiveContext context, Exception exception) => Task.CompletedTask;
    }
}
