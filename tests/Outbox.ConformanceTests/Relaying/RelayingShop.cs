using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>A shop whose orders are relayed over the transport in this process, and received.</summary>
public abstract class RelayingShop
{
    protected SignalLog<OrderPlaced> Received { get; } = new();

    protected abstract Task<TestDatabase> NewDatabase();

    protected async Task<ShopHost> Start(TestDatabase database, Action<IEntityFrameworkOutboxConfigurator>? outbox = null, bool start = true)
    {
        var host = await ShopHost.StartAsync(database, o =>
        {
            (o.Outbox, o.Start) = (outbox, start);
            o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => Received.Add(message));
        });
        return host;
    }

    protected static Task Publish(ShopHost host, int number, string? customer = null) => host.InScope(async (db, outbox) =>
    {
        await outbox.Publish(new OrderPlaced(number, customer));
        await db.SaveChangesAsync();
    });

    /// <summary>Changes the row of one message, as the relay or an operator would have.</summary>
    protected static Task Change(ShopHost host, int place, Action<Microsoft.EntityFrameworkCore.Query.UpdateSettersBuilder<OutboxMessage>> set)
        => host.InScope(async (db, _) =>
        {
            var number = await db.OutboxMessages.OrderBy(m => m.SequenceNumber).Select(m => m.SequenceNumber).Skip(place - 1).FirstAsync();
            await db.OutboxMessages.Where(m => m.SequenceNumber == number).ExecuteUpdateAsync(set);
        });
}
