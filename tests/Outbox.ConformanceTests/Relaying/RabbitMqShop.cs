using MassTransit;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>A service with an outbox over RabbitMQ, and services of others that receive from it.</summary>
public abstract class RabbitMqShop
{
    protected const int BrokerLost = 1213;
    protected const int BrokerBack = 1214;
    protected const int Interrupted = 1215;
    protected const int DeadConnection = 1216;
    protected const int UntoldChannel = 1217;
    protected const int NotSent = 1221;
    protected const int Died = 1222;

    /// <summary>What arrived at the queue <c>orders</c>.</summary>
    protected SignalLog<OrderPlaced> Received { get; } = new();

    /// <summary>What the service with the outbox has logged.</summary>
    protected RecordedLogs Logs { get; } = new();

    protected static void Quick(IEntityFrameworkOutboxConfigurator outbox)
    {
        outbox.PartitionBy<OrderPlaced>(m => m.Number);
        (outbox.Options.MinRetryDelay, outbox.Options.MaxUnroutedDelay) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(500));
    }

    protected static Task Publish(ShopHost host, int number, string customer) => host.InScope(async (db, outbox) =>
    {
        await outbox.Publish(new OrderPlaced(number, customer));
        await db.SaveChangesAsync();
    });

    protected static Task PublishMany(ShopHost host, int first, int count) => host.InScope(async (db, outbox) =>
    {
        for (var number = first; number < first + count; number++)
            await outbox.Publish(new OrderPlaced(number, "ann"));
        await db.SaveChangesAsync();
    });

    protected Task<ShopHost> Start(
        TestDatabase database, Uri broker, Action<IEntityFrameworkOutboxConfigurator> outbox, bool start = true,
        IEnumerable<string>? queues = null, Action<string, OrderChanged>? heard = null, Action<IBusRegistrationConfigurator>? bus = null,
        Action<IRabbitMqBusFactoryConfigurator>? transport = null)
        => ShopHost.StartAsync(database, o =>
        {
            (o.Outbox, o.Start, o.Services, o.Bus) = (outbox, start, Logs.Record, bus);
            o.Transport = registration => registration.UsingRabbitMq((context, cfg) =>
            {
                cfg.Host(broker);
                transport?.Invoke(cfg);
                foreach (var queue in queues ?? [])
                {
                    cfg.ReceiveEndpoint(queue, endpoint =>
                    {
                        endpoint.UseEntityFrameworkOutbox<ShopDb>(context);
                        endpoint.Handler<OrderChanged>(changed =>
                        {
                            heard?.Invoke(queue, changed.Message);
                            return Task.CompletedTask;
                        });
                    });
                }

                cfg.ConfigureEndpoints(context);
            });
        });

    /// <summary>A service of its own, without an outbox.</summary>
    protected Task<Subscriber> StartConsumer(Uri broker) => StartConsumer<OrderPlaced>(broker, "orders", context => Received.Add(context.Message));

    protected static async Task<Subscriber> StartConsumer<TMessage>(Uri broker, string queue, Action<ConsumeContext<TMessage>> consume, bool oneByOne = false)
        where TMessage : class
    {
        var bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(broker);
            cfg.ReceiveEndpoint(queue, endpoint =>
            {
                endpoint.ConcurrentMessageLimit = oneByOne ? 1 : null;
                endpoint.Handler<TMessage>(context =>
                {
                    consume(context);
                    return Task.CompletedTask;
                });
            });
        });
        await bus.StartAsync();
        return new Subscriber(bus);
    }

    public interface IOrderEvent
    {
        int Number { get; }
    }

    public sealed record OrderChanged(int Number) : IOrderEvent;

    public sealed record Corrected<T>(int Number, T Value) : IOrderEvent;

    protected sealed class Subscriber(IBusControl bus) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await bus.StopAsync();
    }
}
