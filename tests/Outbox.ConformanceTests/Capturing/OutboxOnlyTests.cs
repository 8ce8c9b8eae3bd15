using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox.Receiving;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>A service that only sends needs no inbox in its model.</summary>
public sealed class OutboxOnlyTests
{
    private readonly SignalLog<OrderPlaced> _received = new();

    [Fact]
    public async Task A_model_without_the_inbox_sends()
    {
        await using var database = TestDatabase.Sqlite();
        using var host = await Build(database, (_, cfg) => cfg.ReceiveEndpoint("orders", e => e.Handler<OrderPlaced>(Receive)));
        await host.StartAsync();

        await using (var scope = host.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<SenderDb>();
            await scope.ServiceProvider.GetRequiredService<IOutbox<SenderDb>>().Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
        }

        await _received.WaitForCount(1);
        var cleanUp = host.Services.GetRequiredService<InboxCleanUp<SenderDb>>();
        await cleanUp.ExecuteTask!.WaitAsync(Eventually.Limit, TimeProvider.System);           // it has nothing to do, and has ended
        await host.StopAsync();
    }

    [Fact]
    public async Task An_endpoint_with_the_inbox_filter_is_an_error_of_the_start_that_names_the_remedy()
    {
        await using var database = TestDatabase.Sqlite();
        using var host = await Build(database, (context, cfg) => cfg.ReceiveEndpoint("orders", e =>
        {
            e.UseEntityFrameworkOutbox<SenderDb>(context);
            e.Handler<OrderPlaced>(Receive);
        }));

        var refused = await Should.ThrowAsync<ConfigurationException>(host.StartAsync());

        refused.ToString().ShouldContain("AddInboxStateEntity()");
    }

    private Task Receive(ConsumeContext<OrderPlaced> context)
    {
        _received.Add(context.Message);
        return Task.CompletedTask;
    }

    private static async Task<IHost> Build(TestDatabase database, Action<IBusRegistrationContext, IInMemoryBusFactoryConfigurator> configure)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddDbContext<SenderDb>(database.Configure);
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddEntityFrameworkOutbox<SenderDb>();
            bus.UsingInMemory(configure);
        });
        var host = builder.Build();
        await using var scope = host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SenderDb>().Database.EnsureCreatedAsync();
        return host;
    }

    public sealed class SenderDb(DbContextOptions<SenderDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.AddOutboxMessageEntity();
            modelBuilder.AddOutboxStateEntity();
        }
    }
}
