using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>A shop whose orders are relayed over the transport in this process, and received.</summary>
public abstract class RelayingShop
{
    protected SignalLog<OrderPlaced> Received { get; } = new();

    protected abstract Task<TestDatabase> NewDatabase();

    /// <summary>What every host logs that was started by <see cref="Start"/>.</summary>
    protected RecordedLogs Logs { get; } = new();

    protected Task<ShopHost> Start(
        TestDatabase database, Action<IEntityFrameworkOutboxConfigurator>? outbox = null, bool start = true, Action<ShopHostOptions>? more = null)
        => ShopHost.StartAsync(database, o =>
        {
            (o.Outbox, o.Start) = (outbox, start);
            o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => Received.Add(message));
            o.Services = Logs.Record;
            more?.Invoke(o);
        });

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

    protected static Task Sql(ShopHost host, string sql) => host.InScope((db, _) => db.Database.ExecuteSqlRawAsync(sql));

    /// <summary>Makes the database refuse to delete any message that is there now.</summary>
    protected static async Task RefuseDeletes(ShopHost host, long from = 0, long to = long.MaxValue)
    {
        await Sql(host, """CREATE TABLE "Receipt" ("Message" bigint NOT NULL REFERENCES "OutboxMessage" ("SequenceNumber"))""");
        await Sql(host, $"""INSERT INTO "Receipt" SELECT "SequenceNumber" FROM "OutboxMessage" WHERE "SequenceNumber" BETWEEN {from} AND {to}""");
    }

    protected static Task AllowDeletes(ShopHost host) => Sql(host, """DROP TABLE "Receipt" """);
}
