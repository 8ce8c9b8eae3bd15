using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>A service with one endpoint, <c>inbox</c>, whose consumers work in <see cref="LedgerDb"/>. Nothing is relayed: tests look at the rows.</summary>
internal sealed class InboxHost : IAsyncDisposable
{
    private readonly IHost _host;

    private InboxHost(IHost host) => _host = host;

    public IBus Bus => _host.Services.GetRequiredService<IBus>();

    public IServiceProvider Services => _host.Services;

    /// <summary>What the bus reported, in order.</summary>
    public Reported Reported => _host.Services.GetRequiredService<Reported>();

    public static async Task<InboxHost> Start(TestDatabase database, InboxSetUp setUp, Func<IServiceProvider, Task>? prepare = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddDbContext<LedgerDb>(o =>
        {
            database.Configure(o);
            setUp.Database(o);
        });
        builder.Services.AddSingleton<Reported>();
        builder.Services.AddReceiveObserver<ReportedToLog>();
        builder.Services.AddMassTransit(x =>
        {
            x.DisableUsageTelemetry();
            x.AddEntityFrameworkOutbox<LedgerDb>(o =>
            {
                o.DisableDeliveryService();
                o.DisableInboxCleanupService();
                setUp.Outbox(o);
            });
            setUp.Bus(x);
            if (setUp.RabbitMq is { } broker)
            {
                x.UsingRabbitMq((context, bus) =>
                {
                    bus.Host(broker);
                    bus.ReceiveEndpoint("inbox", e => Receive(e, context, setUp));
                });
                return;
            }

            x.UsingInMemory((context, bus) =>
            {
                bus.ReceiveEndpoint("inbox", e => Receive(e, context, setUp));
                setUp.Endpoints(bus, context);
            });
        });
        setUp.Services(builder.Services);
        var host = builder.Build();
        await using (var scope = host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<LedgerDb>().Database.EnsureCreatedAsync();
            if (prepare is not null)
                await prepare(scope.ServiceProvider);
        }

        await host.StartAsync();

        // Not among the statements that a test counts.
        await host.Services.GetRequiredService<OutboxRegistration<LedgerDb>>().KeepsInserts.Task.WaitAsync(Eventually.Limit);
        return new InboxHost(host);
    }

    public async Task<T> Read<T>(Func<LedgerDb, Task<T>> query)
    {
        await using var scope = _host.Services.CreateAsyncScope();
        return await query(scope.ServiceProvider.GetRequiredService<LedgerDb>());
    }

    public Task<List<string>> Entries() => Read(db => db.Entries.OrderBy(e => e.Id).Select(e => e.Text).ToListAsync());

    public Task<List<OutboxMessage>> Outgoing() => Read(db => db.Outgoing.AsNoTracking().OrderBy(m => m.SequenceNumber).ToListAsync());

    public Task<List<InboxMessage>> Inbox() => Read(db => db.Inbox.AsNoTracking().ToListAsync());

    /// <summary>Delivers a message to the endpoint, as a broker would: with this id, as often as it is called.</summary>
    public async Task Deliver(Guid messageId, object message, Action<SendContext>? configure = null)
    {
        var endpoint = await Bus.GetSendEndpoint(new Uri("queue:inbox"));
        await endpoint.Send(message, context =>
        {
            context.MessageId = messageId;
            configure?.Invoke(context);
        });
    }

    /// <summary>Delivers a stored message, as the relay would: the body and the headers of its row.</summary>
    public async Task DeliverStored(OutboxMessage row)
    {
        using var body = JsonDocument.Parse(row.Body);
        using var metadata = JsonDocument.Parse(row.Metadata);
        var message = body.RootElement.GetProperty("message").Deserialize<Credit>(JsonSerializerOptions.Web)!;
        var headers = metadata.RootElement.GetProperty("headers").EnumerateObject().ToDictionary(h => h.Name, h => h.Value.ToString(), StringComparer.Ordinal);
        await Deliver(row.MessageId, message, context =>
        {
            foreach (var (name, value) in headers)
                context.Headers.Set(name, value);
        });
    }

    private static void Receive(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, InboxSetUp setUp)
    {
        setUp.Before(endpoint, context);
        endpoint.UseEntityFrameworkOutbox<LedgerDb>(context);
        setUp.After(endpoint, context);
        endpoint.ConfigureConsumers(context);
        endpoint.ConfigureSagas(context);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}

/// <summary>What the receive endpoint told its observers.</summary>
internal sealed class Reported
{
    /// <summary>Deliveries that were acknowledged, with the message id each.</summary>
    public SignalLog<Guid> Received { get; } = new();

    /// <summary>Runs of a consumer that were reported as successful, with the message type each.</summary>
    public SignalLog<string> Consumed { get; } = new();

    /// <summary>Deliveries whose consumer failed for good.</summary>
    public SignalLog<Exception> Faulted { get; } = new();
}

internal sealed class ReportedToLog(Reported reported) : IReceiveObserver
{
    public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostReceive(ReceiveContext context)
    {
        reported.Received.Add(context.GetMessageId() ?? Guid.Empty);
        return Task.CompletedTask;
    }

    public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
        where T : class
    {
        reported.Consumed.Add(typeof(T).Name);
        return Task.CompletedTask;
    }

    public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
        where T : class
    {
        reported.Faulted.Add(exception);
        return Task.CompletedTask;
    }

    public Task ReceiveFault(ReceiveContext context, Exception exception)
    {
        reported.Faulted.Add(exception);
        return Task.CompletedTask;
    }
}
