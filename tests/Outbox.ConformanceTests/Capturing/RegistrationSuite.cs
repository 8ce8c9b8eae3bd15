using System.Diagnostics;
using System.Text;
using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Capturing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>Whatever way the DbContext came, its outbox is found, and what cannot work stops the start.</summary>
public abstract class RegistrationSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    private async Task<ShopHost> Host(TestDatabase database, Action<ShopHostOptions>? configure = null)
        => await ShopHost.StartAsync(database, o =>
        {
            configure?.Invoke(o);
            o.WithoutRelay();
        });

    [SkippableFact]
    public async Task Transactions_on_one_pooled_connection_are_keys_of_their_own()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        // One after the other: each takes the same connection out of the driver's pool.
        for (var number = 1; number <= 3; number++)
        {
            await host.InScope(async (db, outbox) =>
            {
                await using var transaction = await db.Database.BeginTransactionAsync();
                await outbox.Publish(new OrderPlaced(number));
                await db.SaveChangesAsync();
                await transaction.CommitAsync();
            });
        }

        (await host.Rows()).Select(r => r.KeyHash).Distinct().Count().ShouldBe(3);
    }

    [SkippableFact]
    public async Task Two_outboxes_in_one_database_keep_to_their_own_partitions()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o =>
        {
            o.Services = services => services.AddDbContext<DepotDb>(database.Configure);
            o.Bus = bus => bus.AddEntityFrameworkOutbox<DepotDb>(x =>
            {
                x.DisableDeliveryService();
                x.Options.PartitionCount = 1;
            });
        });

        for (var number = 1; number <= 8; number++)
        {
            await host.InScope((db, outbox) => StoreIn(db, outbox, new OrderPlaced(number)));
            await using var scope = host.Services.CreateAsyncScope();
            await StoreIn(scope.ServiceProvider.GetRequiredService<DepotDb>(), scope.ServiceProvider.GetRequiredService<IOutbox<DepotDb>>(), new PackOrder(number));
        }

        (await host.Rows()).Where(r => r.MessageType.Contains("PackOrder", StringComparison.Ordinal)).ShouldAllBe(r => r.Partition == 0);

        static async Task StoreIn<TMessage>(DbContext db, IPublishEndpoint outbox, TMessage message)
            where TMessage : class
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await outbox.Publish(message);
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        }
    }

    [SkippableFact]
    public async Task A_process_that_only_stores_must_know_the_number_of_partitions()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await host.InScope(async (db, _) =>
        {
            db.AddRange(Enumerable.Range(0, 4).Select(p => new OutboxLease { Partition = p }));
            await db.SaveChangesAsync();
        });

        var error = await Should.ThrowAsync<ConfigurationException>(() => Host(database));

        error.Message.ShouldContain("configured with 16 partitions");
        error.Message.ShouldContain("its database has 4");
    }

    [SkippableFact]
    public async Task Tables_and_columns_may_have_other_names()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o =>
        {
            o.Services = services => services.AddDbContext<RenamedDb>(database.Configure);
            o.Bus = bus => bus.AddEntityFrameworkOutbox<RenamedDb>(x => x.DisableDeliveryService());
            o.CreateTables = false;
        });

        await using var scope = host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<RenamedDb>();
        await db.Database.EnsureCreatedAsync();
        await scope.ServiceProvider.GetRequiredService<IOutbox<RenamedDb>>().Publish(new OrderPlaced(1));
        await db.SaveChangesAsync();

        (await scope.ServiceProvider.GetRequiredService<IOutboxStatistics<RenamedDb>>().Get()).Ready.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_retrying_execution_strategy_stores_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.DbContext = (services, d) => services.AddDbContext<ShopDb>(options =>
        {
            d.Configure(options);
            options.ReplaceService<IExecutionStrategyFactory, RetryOnce>();
        }));

        await host.InScope(async (db, outbox) =>
        {
            var first = true;
            await db.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
            {
                db.ChangeTracker.Clear();
                await using var transaction = await db.Database.BeginTransactionAsync();
                db.Orders.Add(new Order { Number = 1 });
                await outbox.Publish(new OrderPlaced(1));
                await db.SaveChangesAsync();
                if (first)
                {
                    first = false;
                    throw new TimeoutException("The connection broke before the commit.");
                }
                await transaction.CommitAsync();
            });
        });

        (await host.Rows()).Count.ShouldBe(1);
        (await host.Orders()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_pooled_context_forgets_what_was_never_saved()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.DbContext = (services, d) =>
        {
            services.AddDbContextPool<ShopDb>(d.Configure, poolSize: 1);
        });

        await host.InScope((_, outbox) => outbox.Publish(new OrderPlaced(1)));
        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(2));
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        Encoding.UTF8.GetString(row.Body).ShouldContain("\"number\": 2");
    }

    [SkippableFact]
    public async Task A_context_from_a_factory_has_an_outbox_too()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.DbContext = (services, d) => services.AddDbContextFactory<ShopDb>(d.Configure));

        await using (var scope = host.Services.CreateAsyncScope())
        {
            var factory = scope.ServiceProvider.GetRequiredService<IDbContextFactory<ShopDb>>();
            await using var db = await factory.CreateDbContextAsync();
            var outbox = scope.ServiceProvider.GetRequiredService<IOutboxFactory<ShopDb>>().For(db);
            db.Orders.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
        }

        (await host.Rows()).Count.ShouldBe(1);
        (await host.Orders()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task Several_outboxes_on_one_bus_each_keep_their_own_messages()
    {
        await using var database = await NewDatabase();
        await using var other = await NewDatabase();
        await using var host = await Host(database, o =>
        {
            o.Services = services => services.AddDbContext<DepotDb>(other.Configure);
            o.Bus = bus => bus.AddEntityFrameworkOutbox<DepotDb>(x => x.DisableDeliveryService());
        });

        await using var scope = host.Services.CreateAsyncScope();
        var depot = scope.ServiceProvider.GetRequiredService<DepotDb>();
        await depot.Database.EnsureCreatedAsync();
        await scope.ServiceProvider.GetRequiredService<IOutbox<DepotDb>>().Publish(new PackOrder(1));
        await scope.ServiceProvider.GetRequiredService<IOutbox<ShopDb>>().Publish(new OrderPlaced(1));
        await depot.SaveChangesAsync();

        (await host.Rows()).ShouldBeEmpty();
        (await depot.OutboxMessages.CountAsync()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task The_plain_endpoints_are_captured_when_the_bus_outbox_is_used()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.Outbox = x => x.UseBusOutbox());

        await using (var scope = host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(new OrderPlaced(1));
            var packing = await scope.ServiceProvider.GetRequiredService<ISendEndpointProvider>().GetSendEndpoint(new Uri("queue:packing"));
            await packing.Send(new PackOrder(1));
            await scope.ServiceProvider.GetRequiredService<ShopDb>().SaveChangesAsync();
        }

        (await host.Rows()).Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_bus_outbox_beside_another_outbox_stops_the_start()
    {
        await using var database = await NewDatabase();
        var error = await Should.ThrowAsync<ConfigurationException>(() => Host(database, o =>
        {
            o.Services = services => services.AddDbContext<DepotDb>(database.Configure);
            o.Outbox = x => x.UseBusOutbox();
            o.Bus = bus => bus.AddEntityFrameworkOutbox<DepotDb>();
        }));

        error.Message.ShouldContain("IOutbox<ShopDb>");
    }

    [SkippableFact]
    public async Task A_context_without_the_hook_stops_the_start()
    {
        await using var database = await NewDatabase();
        var error = await Should.ThrowAsync<ConfigurationException>(() => Host(database, o =>
        {
            o.CreateTables = false;
            o.DbContext = (services, d) => services.AddScoped(_ =>
            {
                var options = new DbContextOptionsBuilder<ShopDb>();
                d.Configure(options);
                return new ShopDb(options.Options);
            });
        }));

        error.Message.ShouldContain("UseOutbox(serviceProvider)");
    }

    private sealed class RenamedDb(DbContextOptions<RenamedDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.AddInboxStateEntity(inbox => inbox.ToTable("inbox"));
            modelBuilder.AddOutboxMessageEntity(outbox =>
            {
                outbox.ToTable("outbox_message");
                outbox.Property(m => m.State).HasColumnName("state");
                outbox.Property(m => m.DueAt).HasColumnName("due_at");
                outbox.Property(m => m.Holds).HasColumnName("holds");
            });
            modelBuilder.AddOutboxStateEntity(replica => replica.ToTable("outbox_replica"), lease => lease.ToTable("outbox_lease"));
        }
    }
}

public sealed class SqliteRegistrationTests : RegistrationSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresRegistrationTests : RegistrationSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerRegistrationTests : RegistrationSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
