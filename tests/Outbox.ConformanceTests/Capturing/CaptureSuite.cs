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

/// <summary>A row and its message are saved together or not at all, whatever way the DbContext came and the save went.</summary>
public abstract class CaptureSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    private async Task<ShopHost> Host(TestDatabase database, Action<ShopHostOptions>? configure = null)
        => await ShopHost.StartAsync(database, o =>
        {
            configure?.Invoke(o);
            o.WithoutRelay();
        });

    [SkippableFact]
    public async Task A_published_message_is_stored_by_the_next_save_and_not_before()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            db.Orders.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            (await host.Rows()).ShouldBeEmpty();
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.State.ShouldBe(OutboxMessageState.Pending);
        row.DueAt.ShouldBeNull();
        row.MessageType.ShouldStartWith("urn:message:Outbox.ConformanceTests:OrderPlaced");
        row.Size.ShouldBe(row.Body.Length);
        row.CreatedAt.Kind.ShouldBe(DateTimeKind.Utc);
        MessageMetadata.FromJson(row.Metadata).Published.ShouldBeTrue();
        MessageMetadata.FromJson(row.Metadata).Mandatory.ShouldBeTrue();
    }

    [SkippableFact]
    public async Task Everything_the_sender_says_survives()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        var ids = Enumerable.Range(0, 5).Select(_ => NewId.NextGuid()).ToArray();
        using var activity = new Activity("request").Start();

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1), context =>
            {
                (context.MessageId, context.CorrelationId, context.ConversationId, context.InitiatorId, context.RequestId) = (ids[0], ids[1], ids[2], ids[3], ids[4]);
                context.ResponseAddress = new Uri("loopback://localhost/answers");
                context.FaultAddress = new Uri("loopback://localhost/faults");
                context.SourceAddress = new Uri("loopback://localhost/here");
                context.TimeToLive = TimeSpan.FromMinutes(5);
                context.Headers.Set("tenant", "north");
                context.Headers.Set("number", 42);
                context.Headers.Set("urgent", true);
            });
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.MessageId.ShouldBe(ids[0]);
        row.CorrelationId.ShouldBe(ids[1]);
        row.ConversationId.ShouldBe(ids[2]);
        row.ContentType.ShouldBe("application/vnd.masstransit+json");
        (row.ExpiresAt - row.CreatedAt).ShouldBe(TimeSpan.FromMinutes(5));

        var metadata = MessageMetadata.FromJson(row.Metadata);
        metadata.InitiatorId.ShouldBe(ids[3]);
        metadata.RequestId.ShouldBe(ids[4]);
        metadata.ResponseAddress.ShouldBe(new Uri("loopback://localhost/answers"));
        metadata.FaultAddress.ShouldBe(new Uri("loopback://localhost/faults"));
        metadata.SourceAddress.ShouldBe(new Uri("loopback://localhost/here"));
        var headers = metadata.Headers.ShouldNotBeNull();
        MessageMetadata.Plain(headers["tenant"]).ShouldBe("north");
        MessageMetadata.Plain(headers["number"]).ShouldBe(42L);
        MessageMetadata.Plain(headers["urgent"]).ShouldBe(true);
        MessageMetadata.Plain(headers["MT-Activity-Id"]).ShouldBeOfType<string>().ShouldContain(activity.TraceId.ToString());

        using var envelope = JsonDocument.Parse(Encoding.UTF8.GetString(row.Body));
        envelope.RootElement.GetProperty("messageId").GetGuid().ShouldBe(ids[0]);
        envelope.RootElement.GetProperty("message").GetProperty("number").GetInt32().ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_sent_message_keeps_its_destination()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Send(new Uri("queue:packing"), new PackOrder(1));
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        new Uri(row.DestinationAddress).AbsolutePath.ShouldBe("/packing");
        MessageMetadata.FromJson(row.Metadata).Published.ShouldBeFalse();
    }

    [SkippableFact]
    public async Task Two_saves_in_one_scope_store_each_message_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            await outbox.Publish(new OrderPlaced(2));
            await db.SaveChangesAsync();
            db.ChangeTracker.Entries<OutboxMessage>().ShouldBeEmpty();
        });

        (await host.Rows()).Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_failed_save_stores_neither_and_a_second_try_stores_both_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await host.InScope(async (db, _) =>
        {
            db.Orders.Add(new Order { Number = 1 });
            await db.SaveChangesAsync();
        });

        await host.InScope(async (db, outbox) =>
        {
            var order = new Order { Number = 1 };
            db.Orders.Add(order);
            await outbox.Publish(new OrderPlaced(1));
            await Should.ThrowAsync<DbUpdateException>(() => db.SaveChangesAsync());
            (await host.Rows()).ShouldBeEmpty();

            order.Number = 2;
            await db.SaveChangesAsync();
        });

        (await host.Rows()).Count.ShouldBe(1);
        (await host.Orders()).ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_rolled_back_transaction_takes_its_messages_with_it()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            db.Orders.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            await transaction.RollbackAsync();
        });

        (await host.Rows()).ShouldBeEmpty();
        (await host.Orders()).ShouldBe(0);
    }

    [SkippableFact]
    public async Task The_messages_of_a_transaction_share_a_key_and_a_partition_over_its_saves()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            for (var number = 1; number <= 3; number++)
            {
                await outbox.Publish(new OrderPlaced(number));
                await db.SaveChangesAsync();
            }
            await transaction.CommitAsync();
        });
        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(4));
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Take(3).Select(r => (r.KeyHash, r.Partition)).Distinct().Count().ShouldBe(1);
        rows[3].KeyHash.ShouldNotBe(rows[0].KeyHash);
    }

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
    public async Task A_long_key_counts_as_a_whole_and_is_shown_in_part()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        var start = new string('k', 300);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1), context => context.SetOutboxPartitionKey(start + "1"));
            await outbox.Publish(new OrderPlaced(2), context => context.SetOutboxPartitionKey(start + "2"));
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Select(r => r.PartitionKey).Distinct(StringComparer.Ordinal).ShouldBe([start[..256]]);
        rows.Select(r => r.KeyHash).ShouldBe([PartitionKeys.Hash(start + "1"), PartitionKeys.Hash(start + "2")]);
    }

    [SkippableFact]
    public async Task An_address_that_is_too_long_is_refused_when_it_is_used()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            var error = await Should.ThrowAsync<MessageException>(() => outbox.Send(new Uri("queue:" + new string('q', 1100)), new PackOrder(1)));
            error.Message.ShouldContain("destination address");
            db.ChangeTracker.Entries<OutboxMessage>().ShouldBeEmpty();
        });
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
    public async Task A_key_decides_the_partition_whoever_stores_the_message()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.Outbox = x => x.PartitionBy<OrderPlaced>(m => m.Customer));

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1, "ada"));
            await outbox.Publish(new OrderPlaced(2, "bob"));
            await outbox.Publish(new OrderPlaced(3));
            await outbox.Publish(new OrderPlaced(4), context => context.SetOutboxPartitionKey("ada"));
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Select(r => r.PartitionKey).ShouldBe(["ada", "bob", null, "ada"]);
        rows[0].KeyHash.ShouldBe(PartitionKeys.Hash("ada"));
        rows[0].Partition.ShouldBe(PartitionKeys.Partition(PartitionKeys.Hash("ada"), 16));
        rows[3].KeyHash.ShouldBe(rows[0].KeyHash);
    }

    [SkippableFact]
    public async Task A_hundred_messages_of_one_save_keep_their_order()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            for (var number = 0; number < 100; number++)
                await outbox.Publish(new OrderPlaced(number));
            await db.SaveChangesAsync();
        });

        var numbers = (await host.Rows()).Select(r =>
        {
            using var envelope = JsonDocument.Parse(r.Body);
            return envelope.RootElement.GetProperty("message").GetProperty("number").GetInt32();
        });
        numbers.ShouldBe(Enumerable.Range(0, 100));
    }

    [SkippableFact]
    public async Task A_retrying_execution_strategy_stores_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.DbContext = (services, d) => services.AddDbContext<ShopDb>(options =>
        {
            d.Configure(options);
            options.ReplaceService<IExecutionStrategyFactory, RetryOnceFactory>();
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

    [SkippableFact]
    public async Task A_body_over_the_maximum_is_refused_and_changes_nothing()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.Outbox = x => x.Options.MaxBodySize = 2000);

        await host.InScope(async (db, outbox) =>
        {
            var error = await Should.ThrowAsync<MessageException>(() => outbox.Publish(new OrderPlaced(1, new string('x', 2000))));
            error.Message.ShouldContain("2000 bytes");
            db.ChangeTracker.Entries<OutboxMessage>().ShouldBeEmpty();
        });
    }

    [SkippableFact]
    public async Task A_commit_wakes_the_relay_and_a_save_inside_a_transaction_does_not()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        var wakeUp = host.Services.GetRequiredService<OutboxRegistration<ShopDb>>().WakeUp;

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            var woken = wakeUp.WaitAsync(CancellationToken.None);
            woken.IsCompleted.ShouldBeFalse();
            await transaction.CommitAsync();
            await woken;
        });
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

    private sealed class RetryOnceFactory(ExecutionStrategyDependencies dependencies) : IExecutionStrategyFactory
    {
        public IExecutionStrategy Create() => new RetryOnce(dependencies);
    }

    private sealed class RetryOnce(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, 1, TimeSpan.Zero)
    {
        protected override bool ShouldRetryOn(Exception exception) => exception is TimeoutException;
    }
}

public sealed class SqliteCaptureTests : CaptureSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresCaptureTests : CaptureSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}
