using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>Several outboxes on one bus: each has a relay of its own, with a connection of its own.</summary>
public sealed class SeveralOutboxesOverRabbitMqTests : RabbitMqShop
{
    [SkippableFact]
    public async Task Each_relay_sends_its_own_messages_once_and_finds_the_broker_again_by_itself()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var shop = await TestDatabase.PostgresAsync();
        await using var depot = await TestDatabase.PostgresAsync();
        await using var proxy = TcpProxy.To(broker.Address.Host, broker.Address.Port);
        var packed = new SignalLog<int>();
        await using var orders = await StartConsumer(broker.Address);
        await using var packing = await StartConsumer<PackOrder>(broker.Address, "packing", context => packed.Add(context.Message.Number));
        await using var producer = await Start(
            shop, new UriBuilder(broker.Address) { Port = proxy.Port }.Uri, Quick,
            start: false,
            bus: bus =>
            {
                bus.AddDbContext<DepotDb>(depot.Configure);
                bus.AddEntityFrameworkOutbox<DepotDb>(Quick);
            });
        await InDepot(producer, (db, _) => db.Database.EnsureCreatedAsync());
        await producer.StartAsync();

        await PublishBoth(producer, first: 1);
        await AllSent(producer);
        proxy.Cut();
        await PublishBoth(producer, first: 101);
        await Eventually.Is(() => Logs.Of(BrokerLost).Count() == 2);
        proxy.Restore();
        await PublishBoth(producer, first: 201);

        await AllSent(producer);
        await Received.WaitForCount(300);
        await packed.WaitForCount(300);
        Received.Values.Select(m => m.Number).ShouldBe(Enumerable.Range(1, 300), ignoreOrder: true);
        packed.Values.ShouldBe(Enumerable.Range(1, 300), ignoreOrder: true);
        Logs.Of(BrokerBack).Count().ShouldBe(2);
    }

    private static async Task PublishBoth(ShopHost producer, int first)
    {
        await PublishMany(producer, first, count: 100);
        await InDepot(producer, async (db, outbox) =>
        {
            for (var number = first; number < first + 100; number++)
                await outbox.Publish(new PackOrder(number));
            await db.SaveChangesAsync();
        });
    }

    private static Task AllSent(ShopHost producer) => Eventually.Is(
        async () =>
        {
            var left = 0;
            await InDepot(producer, async (db, _) => left = await db.OutboxMessages.CountAsync());
            return left + await producer.Query(db => db.OutboxMessages.CountAsync()) == 0;
        },
        Eventually.Limit * 2);

    private static async Task InDepot(ShopHost producer, Func<DepotDb, IOutbox<DepotDb>, Task> work)
    {
        await using var scope = producer.Services.CreateAsyncScope();
        await work(scope.ServiceProvider.GetRequiredService<DepotDb>(), scope.ServiceProvider.GetRequiredService<IOutbox<DepotDb>>());
    }
}
