using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Testing;

namespace Outbox.ConformanceTests;

/// <summary>A service as a user would write it: a DbContext, a bus, an outbox. The bus is in this process unless a test chooses another.</summary>
public sealed class ShopHost : IAsyncDisposable
{
    private readonly IHost _host;

    private ShopHost(IHost host) => _host = host;

    public IServiceProvider Services => _host.Services;

    /// <summary>Builds the host and, unless told otherwise, creates the tables and starts everything.</summary>
    public static async Task<ShopHost> StartAsync(TestDatabase database, Action<ShopHostOptions>? configure = null)
    {
        var options = new ShopHostOptions();
        configure?.Invoke(options);

        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Warning);
        if (options.Time is { } time)
            builder.Services.AddSingleton(time);
        if (options.DbContext is { } register)
            register(builder.Services, database);
        else
            builder.Services.AddDbContext<ShopDb>(database.Configure);

        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            if (options.Bus is null || options.WithOutbox)
                bus.AddEntityFrameworkOutbox<ShopDb>(options.Outbox);
            options.Bus?.Invoke(bus);
            if (options.Transport is { } transport)
                transport(bus);
            else
                bus.UsingInMemory((context, cfg) => cfg.ConfigureEndpoints(context));
        });
        options.Services?.Invoke(builder.Services);

        var host = new ShopHost(builder.Build());
        if (options.CreateTables)
        {
            await using var scope = host.Services.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<ShopDb>().Database.EnsureCreatedAsync();
        }
        if (options.Start)
            await host._host.StartAsync();
        return host;
    }

    public Task StartAsync() => _host.StartAsync();

    public Task StopAsync() => _host.StopAsync();

    /// <summary>Runs work in a scope of its own, as one HTTP request would.</summary>
    public async Task InScope(Func<ShopDb, IOutbox<ShopDb>, Task> work)
    {
        await using var scope = Services.CreateAsyncScope();
        await work(scope.ServiceProvider.GetRequiredService<ShopDb>(), scope.ServiceProvider.GetRequiredService<IOutbox<ShopDb>>());
    }

    /// <summary>Asks the database, in a scope of its own.</summary>
    public async Task<T> Query<T>(Func<ShopDb, Task<T>> query)
    {
        await using var scope = Services.CreateAsyncScope();
        return await query(scope.ServiceProvider.GetRequiredService<ShopDb>());
    }

    /// <summary>The rows of the outbox, in order.</summary>
    public Task<List<OutboxMessage>> Rows() => Query(db => db.OutboxMessages.AsNoTracking().OrderBy(m => m.SequenceNumber).ToListAsync());

    public Task<int> Orders() => Query(db => db.Orders.CountAsync());

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        if (_host is IAsyncDisposable disposable)
            await disposable.DisposeAsync();
    }
}

/// <summary>What a test changes in the <see cref="ShopHost"/>.</summary>
public sealed class ShopHostOptions
{
    /// <summary>The outbox's options.</summary>
    public Action<IEntityFrameworkOutboxConfigurator>? Outbox { get; set; }

    /// <summary>Consumers, and further outboxes.</summary>
    public Action<IBusRegistrationConfigurator>? Bus { get; set; }

    /// <summary>Another transport than the one in this process.</summary>
    public Action<IBusRegistrationConfigurator>? Transport { get; set; }

    /// <summary>Another way to register the DbContext than <c>AddDbContext</c>.</summary>
    public Action<IServiceCollection, TestDatabase>? DbContext { get; set; }

    public Action<IServiceCollection>? Services { get; set; }

    public TimeProvider? Time { get; set; }

    /// <summary>Whether <see cref="ShopDb"/> has an outbox.</summary>
    public bool WithOutbox { get; set; } = true;

    public bool CreateTables { get; set; } = true;

    public bool Start { get; set; } = true;

    /// <summary>Stores, but does not relay: for suites that look at the rows.</summary>
    public ShopHostOptions WithoutRelay()
    {
        var outbox = Outbox;
        Outbox = o =>
        {
            outbox?.Invoke(o);
            o.DisableDeliveryService();
        };
        return this;
    }
}
