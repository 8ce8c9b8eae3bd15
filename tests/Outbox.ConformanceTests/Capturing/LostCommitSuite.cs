using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>
/// A commit came through and its answer did not, and a retrying execution strategy saves once more: what is stored twice, and
/// what takes effect (docs/operations.md).
/// </summary>
public abstract class LostCommitSuite
{
    private readonly SignalLog<int> _consumed = new();
    private readonly LostAnswer _lost = new();

    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Without_a_business_key_the_messages_are_stored_again_under_their_ids_and_consumed_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1));
            await outbox.Publish(new OrderPlaced(2));
            _lost.Next = true;
            await db.SaveChangesAsync();
        });

        _lost.Next.ShouldBeFalse();
        var ids = (await host.Rows()).ConvertAll(r => r.MessageId);
        ids.Count.ShouldBe(4);
        ids[2..].ShouldBe(ids[..2]);

        await host.StartAsync();
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(3));
            await db.SaveChangesAsync();
        });
        await _consumed.WaitFor(number => number == 3);
        _consumed.Values.ShouldBe([1, 2, 3], ignoreOrder: true);
    }

    [SkippableFact]
    public async Task With_a_business_key_the_second_save_is_refused_and_nothing_is_doubled()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            db.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            _lost.Next = true;
            await Should.ThrowAsync<DbUpdateException>(() => db.SaveChangesAsync());
        });

        (await host.Rows()).ShouldHaveSingleItem();
        (await host.Orders()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_unit_that_looks_whether_it_was_committed_ends_well_and_nothing_is_doubled()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            db.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            _lost.Next = true;
            await db.Database.CreateExecutionStrategy().ExecuteInTransactionAsync(
                () => db.SaveChangesAsync(acceptAllChangesOnSuccess: false),
                () => db.Orders.AsNoTracking().AnyAsync(o => o.Number == 1));
            db.ChangeTracker.AcceptAllChanges();
        });

        _lost.Next.ShouldBeFalse();
        (await host.Rows()).ShouldHaveSingleItem();
        (await host.Orders()).ShouldBe(1);
    }

    private Task<ShopHost> Start(TestDatabase database) => ShopHost.StartAsync(database, o =>
    {
        o.Start = false;
        o.DbContext = (services, d) => services.AddDbContext<ShopDb>(options =>
        {
            d.Configure(options);
            options.ReplaceService<IExecutionStrategyFactory, RetryOnce>();
            options.AddInterceptors(_lost);
        });
        o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => _consumed.Add(message.Number));
        o.Transport = bus => bus.UsingInMemory((context, cfg) => cfg.ReceiveEndpoint("orders", endpoint =>
        {
            endpoint.ConcurrentMessageLimit = 1;           // in the order in which they were sent
            endpoint.UseEntityFrameworkOutbox<ShopDb>(context);
            endpoint.ConfigureConsumers(context);
        }));
    });

    private sealed class LostAnswer : DbTransactionInterceptor
    {
        public bool Next { get; set; }

        public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            if (!Next)
                return Task.CompletedTask;
            Next = false;
            throw new TimeoutException("The connection was lost.");
        }
    }
}

public sealed class SqliteLostCommitTests : LostCommitSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresLostCommitTests : LostCommitSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerLostCommitTests : LostCommitSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
