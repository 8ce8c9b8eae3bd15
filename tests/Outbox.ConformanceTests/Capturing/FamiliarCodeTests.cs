using System.Data;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>
/// Configuration, model and endpoints as they are written for MassTransit's own EF outbox: they compile with no other
/// namespace than MassTransit's, and do what they say.
/// </summary>
public sealed class FamiliarCodeTests
{
    private static readonly SignalLog<int> Packed = new();

    [Fact]
    public async Task Code_for_MassTransits_own_outbox_compiles_and_behaves()
    {
        await using var database = TestDatabase.Sqlite();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddDbContext<WarehouseDb>(database.Configure);
        builder.Services.AddMassTransit(x =>
        {
            x.DisableUsageTelemetry();
            x.AddEntityFrameworkOutbox<WarehouseDb>(o =>
            {
                o.UseSqlite();
                o.UsePostgres();
                o.UseSqlServer();
                o.QueryDelay = TimeSpan.FromSeconds(1);
                o.QueryMessageLimit = 100;
                o.QueryTimeout = TimeSpan.FromSeconds(30);
                o.DuplicateDetectionWindow = TimeSpan.FromMinutes(30);
                o.IsolationLevel = IsolationLevel.ReadCommitted;
                o.DisableInboxCleanupService();
                o.UseBusOutbox(bo =>
                {
                    bo.MessageDeliveryLimit = 100;
                    bo.MessageDeliveryTimeout = TimeSpan.FromSeconds(10);
                });
            });
            x.AddConfigureEndpointsCallback((context, _, cfg) =>
            {
                cfg.UseMessageRetry(r => r.Intervals(100, 500));
                cfg.UseEntityFrameworkOutbox<WarehouseDb>(context, o =>
                {
                    o.MessageDeliveryLimit = 10;
                    o.MessageDeliveryTimeout = TimeSpan.FromSeconds(10);
                });
            });
            x.AddConsumer<PackConsumer>();
            x.UsingInMemory((context, cfg) => cfg.ConfigureEndpoints(context));
        });
        using var host = builder.Build();
        await using (var scope = host.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<WarehouseDb>().Database.EnsureCreatedAsync();
        await host.StartAsync();

        await using (var scope = host.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<WarehouseDb>();
            var publish = scope.ServiceProvider.GetRequiredService<IPublishEndpoint>();
            await publish.Publish(new OrderPlaced(1), context => context.MessageId = NewId.NextGuid());
            Packed.Count.ShouldBe(0);                       // nothing leaves before the save
            await db.SaveChangesAsync();
        }

        (await Packed.WaitForCount(1)).ShouldBe([1]);
        await Eventually.Is(async () =>
        {
            await using var scope = host.Services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<WarehouseDb>();
            return await db.Set<Order>().CountAsync() == 1 && await db.Set<InboxMessage>().CountAsync(m => m.ConsumedAt != null) == 1;
        });
        await host.StopAsync();
    }

    public sealed class PackConsumer(WarehouseDb db) : IConsumer<OrderPlaced>
    {
        public async Task Consume(ConsumeContext<OrderPlaced> context)
        {
            db.Add(new Order { Number = context.Message.Number });
            await db.SaveChangesAsync(context.CancellationToken);
            Packed.Add(context.Message.Number);
        }
    }

    public sealed class WarehouseDb(DbContextOptions<WarehouseDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            base.OnModelCreating(modelBuilder);
            modelBuilder.Entity<Order>();
            modelBuilder.AddInboxStateEntity();
            modelBuilder.AddOutboxMessageEntity();
            modelBuilder.AddOutboxStateEntity();
        }
    }
}
