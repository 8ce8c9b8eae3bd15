using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>Half messages as the broker sees them: not at all, until they are committed.</summary>
public sealed class HalfMessagesOverRabbitMqTests
{
    private const string Queue = "orders";

    [SkippableFact]
    public async Task A_prepared_message_is_in_no_queue_and_only_what_is_committed_ever_is()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        await using (await StartConsumer(broker.Address, _ => { }))
        {
            // It leaves its queue behind, bound, with nobody who takes from it: what gets there stays.
        }

        await using var producer = await Start(database, broker.Address);
        await producer.InScope(async (db, outbox) =>
        {
            await using var open = await outbox.Prepare(new OrderPlaced(1));
            await using var refused = await outbox.Prepare(new OrderPlaced(2));
            await using var committed = await outbox.Prepare(new OrderPlaced(3));
            await using var alone = await outbox.Prepare(new OrderPlaced(4));

            // Whatever was stored before this has been passed by when it arrives.
            await Passed(1);
            (await broker.QueuesAsync()).Sum(q => q.Ready + q.Unacknowledged).ShouldBe(1);

            refused.Rollback();
            committed.Commit();
            await db.SaveChangesAsync();
            await alone.CommitAsync();
            await Passed(4);
            await Eventually.Is(async () => (await producer.Rows()).Select(r => r.State).SequenceEqual(
                [OutboxMessageState.Prepared, OutboxMessageState.RolledBack, OutboxMessageState.Committed, OutboxMessageState.Committed]));

            // The same once more sends nothing once more; the opposite is refused.
            await alone.CommitAsync();
            await Should.ThrowAsync<HalfMessageDecidedException>(() => refused.CommitAsync());
            await Passed(5);

            async Task Passed(long messages)
            {
                await outbox.Publish(new OrderPlaced(100 + (int)messages));
                await db.SaveChangesAsync();
                await Eventually.Is(async () => (await broker.FindQueueAsync(Queue))?.Ready == messages);
            }
        });

        var received = new SignalLog<int>();
        await using var consumer = await StartConsumer(broker.Address, received.Add);
        await received.WaitForCount(5);
        await Eventually.Is(async () => await broker.FindQueueAsync(Queue) is { Ready: 0, Unacknowledged: 0 });
        received.Values.ShouldBe([3, 4, 101, 104, 105], ignoreOrder: true);
    }

    [SkippableFact]
    public async Task What_the_check_back_commits_arrives_once_and_what_it_rolls_back_never()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var database = await TestDatabase.PostgresAsync();
        var received = new SignalLog<int>();
        await using var consumer = await StartConsumer(broker.Address, received.Add);
        await using var producer = await Start(database, broker.Address, c => c.CheckBackDelay = TimeSpan.FromMilliseconds(50));
        producer.Services.GetRequiredService<Answers>().To = (message, _, _) =>
            Task.FromResult(message.Number % 2 == 0 ? CheckBackAnswer.Committed : CheckBackAnswer.RolledBack);

        for (var number = 1; number <= 20; number++)
            await producer.InScope(async (_, outbox) => await outbox.Prepare(new OrderPlaced(number)));

        await Eventually.Is(async () => (await producer.Rows()).All(r => r.State is OutboxMessageState.Committed or OutboxMessageState.RolledBack));
        await producer.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(100));
            await db.SaveChangesAsync();
        });
        await received.WaitFor(number => number == 100);
        await Eventually.Is(async () => await broker.FindQueueAsync(Queue) is { Ready: 0, Unacknowledged: 0 });
        received.Values.ShouldBe([2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 100], ignoreOrder: true);
    }

    private static Task<ShopHost> Start(TestDatabase database, Uri broker, Action<CheckBackOptions>? check = null) => ShopHost.StartAsync(database, o =>
    {
        o.Outbox = outbox =>
        {
            outbox.QueryDelay = TimeSpan.FromMilliseconds(50);
            outbox.AddCheckBack<OrderPlaced, ScriptedCheckBack>(check ?? (c => c.CheckBackDelay = TimeSpan.FromHours(1)));
        };
        o.Services = services => services.AddSingleton(new Answers());
        o.Transport = bus => bus.UsingRabbitMq((context, cfg) =>
        {
            cfg.Host(broker);
            cfg.ConfigureEndpoints(context);
        });
    });

    /// <summary>A service of its own, without an outbox.</summary>
    private static async Task<Consumer> StartConsumer(Uri broker, Action<int> consume)
    {
        var bus = Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(broker);
            cfg.ReceiveEndpoint(Queue, endpoint => endpoint.Handler<OrderPlaced>(context =>
            {
                consume(context.Message.Number);
                return Task.CompletedTask;
            }));
        });
        await bus.StartAsync();
        return new Consumer(bus);
    }

    private sealed class Consumer(IBusControl bus) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await bus.StopAsync();
    }
}
