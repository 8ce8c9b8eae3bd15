using MassTransit;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A whole service in this process: its own Program, on a database of the test's, with the in-process transport.</summary>
/// <typeparam name="TDb">The service's DbContext; its assembly says which service.</typeparam>
/// <param name="database">Where it works; the caller keeps it.</param>
/// <param name="configure">Changes the service's own registrations.</param>
public sealed class ServiceApp<TDb>(TestDatabase database, Action<IServiceCollection>? configure = null)
    : WebApplicationFactory<TDb>
    where TDb : DbContext
{
    /// <summary>Settings beyond those of the database.</summary>
    public Dictionary<string, string?> Settings { get; } = new(StringComparer.Ordinal)
    {
        ["Receivers:Default:ApiKey"] = Keys.Receiver,
        ["Encryption:Key"] = Keys.Encryption,
        ["Operator:ApiKey"] = Keys.Operator,
        ["Logging:LogLevel:Default"] = "None",
    };

    /// <summary>Every message that the service has received and is done with, whatever became of it.</summary>
    public SignalLog<ReceivedMessage> Received { get; } = new();

    /// <summary>Reads from, or writes to, the service's database.</summary>
    public async Task<T> InDb<T>(Func<TDb, Task<T>> work)
    {
        await using var scope = Services.CreateAsyncScope();
        return await work(scope.ServiceProvider.GetRequiredService<TDb>());
    }

    /// <summary>Publishes to the service's bus, as another service would.</summary>
    public Task Publish<T>(T message, Guid messageId)
        where T : class =>
        Services.GetRequiredService<IBus>().Publish(message, context => context.MessageId = messageId);

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        var name = typeof(TDb).Name.Replace("Db", "", StringComparison.Ordinal);
        builder.UseSetting("Database:Provider", database.Name);
        builder.UseSetting($"ConnectionStrings:{name}", database.ConnectionString);
        foreach (var (key, value) in Settings)
        {
            builder.UseSetting(key, value);
        }

        builder.ConfigureTestServices(services => configure?.Invoke(services));
    }

    protected override IHost CreateHost(IHostBuilder builder)
    {
        var host = base.CreateHost(builder);
        host.Services.GetRequiredService<IBus>().ConnectReceiveObserver(new ReceiveLog(Received));
        return host;
    }
}
