using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Notifications.Delivering;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>The notifier in this process, allowed to call this machine's loopback.</summary>
internal sealed class Notifier : IAsyncDisposable
{
    private static readonly DateTime Happened = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    private readonly MeterListener meters = new();

    /// <summary>Starts it.</summary>
    /// <param name="database">Where it works; the caller keeps it.</param>
    /// <param name="settings">Beyond those that let it call the loopback.</param>
    /// <param name="relays">Whether its messages are sent; otherwise they stay in the outbox, and nothing is woken. First attempts are made all the same.</param>
    /// <param name="configure">Changes its registrations.</param>
    public Notifier(
        TestDatabase database, Dictionary<string, string?>? settings = null, bool relays = true, Action<IServiceCollection>? configure = null)
    {
        App = new ServiceApp<NotificationsDb>(database, services =>
        {
            configure?.Invoke(services);
            if (!relays)
            {
                StopRelay(services);
            }
        });
        App.Settings["Delivery:AllowedNetworks"] = "127.0.0.0/8";
        App.Settings["Delivery:AllowedPorts"] = "1-65535";
        App.Settings["Delivery:SweepPeriod"] = "00:00:01";
        foreach (var (key, value) in settings ?? [])
        {
            App.Settings[key] = value;
        }

        var factory = App.Services.GetRequiredService<IMeterFactory>();
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "notifications.attempts" && instrument.Meter.Scope == factory)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<long>((_, _, tags, _) => Attempted.Add(tags.ToArray().Any(tag => tag is { Key: "counted", Value: true })));
        meters.Start();
    }

    public ServiceApp<NotificationsDb> App { get; }

    /// <summary>Every attempt that is over and done with: whether its outcome counted.</summary>
    public SignalLog<bool> Attempted { get; } = new();

    /// <summary>The key that every endpoint here signs with.</summary>
    public static byte[] Key { get; } = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    /// <summary>Adds an endpoint of the receiver <c>default</c>.</summary>
    public async Task<Guid> AddEndpoint(Uri url, Action<WebhookEndpoint>? change = null)
    {
        var id = NewId.NextGuid();
        return await App.InDb(async db =>
        {
            var endpoint = new WebhookEndpoint
            {
                Id = id,
                ReceiverId = await db.Receivers.Where(r => r.Name == "default").Select(r => r.Id).SingleAsync(),
                Url = url.ToString(),
                EventTypes = EventTypeList.Write(["topup.succeeded"]),
                Schedule = "demo",
                Secret = Seal(id, Key),
            };
            change?.Invoke(endpoint);
            db.Endpoints.Add(endpoint);
            await db.SaveChangesAsync();
            return id;
        });
    }

    public byte[] Seal(Guid endpointId, byte[] value) => App.Services.GetRequiredService<SecretBox>().Seal(endpointId, value);

    public Task ChangeEndpoint(Guid id, Action<Microsoft.EntityFrameworkCore.Query.UpdateSettersBuilder<WebhookEndpoint>> set) =>
        App.InDb(db => db.Endpoints.Where(e => e.Id == id).ExecuteUpdateAsync(set));

    /// <summary>Something happens that the receivers are told of.</summary>
    /// <returns>Its business key.</returns>
    public async Task<string> Tell()
    {
        var (topUp, messageId) = (NewId.NextGuid(), NewId.NextGuid());
        await App.Publish(new TopUpSucceeded(topUp, NewId.NextGuid(), 500, Happened), messageId);
        (await App.Received.WaitFor(message => message.MessageId == messageId)).Fault.ShouldBeNull();
        return topUp.ToString();
    }

    /// <summary>Tells and gives the delivery that came of it, to the only endpoint there is or to this one.</summary>
    public async Task<Guid> TellOne(Guid? endpointId = null)
    {
        var key = await Tell();
        return await App.InDb(db => (
            from delivery in db.Deliveries
            join notification in db.Notifications on delivery.NotificationId equals notification.Id
            where notification.Event.BusinessKey == key && (endpointId == null || delivery.EndpointId == endpointId)
            select delivery.Id).SingleAsync());
    }

    /// <summary>Tells an endpoint while it is paused, and makes it look as if it never had been.</summary>
    /// <returns>A delivery that waits for its first attempt. No message that wakes it is on its way.</returns>
    public async Task<Guid> WaitingOne(Guid endpointId)
    {
        await ChangeEndpoint(endpointId, set => set.SetProperty(e => e.State, EndpointState.Paused));
        var id = await TellOne(endpointId);
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await App.InDb(db => db.Deliveries.Where(d => d.Id == id).ExecuteUpdateAsync(set => set
            .SetProperty(d => d.State, DeliveryState.Pending).SetProperty(d => d.NextAttemptAt, now)));
        await ChangeEndpoint(endpointId, set => set.SetProperty(e => e.State, EndpointState.Active));
        return id;
    }

    /// <summary>The attempts that messages in the outbox wake, whether they were sent or are to be.</summary>
    public async Task<List<int>> Wakes(Guid id)
    {
        var bodies = await App.InDb(db => db.Set<Outbox.OutboxMessage>()
            .Where(m => m.MessageType.Contains(nameof(WakeDelivery))).Select(m => m.Body).ToListAsync());
        return [.. bodies
            .Select(body => JsonNode.Parse(body)!["message"]!)
            .Where(message => message["deliveryId"]!.GetValue<Guid>() == id)
            .Select(message => message["attempt"]!.GetValue<int>())];
    }

    public Task<Delivery> Delivery(Guid id) => App.InDb(db => db.Deliveries.AsNoTracking().SingleAsync(d => d.Id == id));

    public Task<WebhookEndpoint> Endpoint(Guid id) => App.InDb(db => db.Endpoints.AsNoTracking().SingleAsync(e => e.Id == id));

    public Task<List<DeliveryAttempt>> Attempts(Guid id) =>
        App.InDb(db => db.Attempts.AsNoTracking().Where(a => a.DeliveryId == id).OrderBy(a => a.Number).ToListAsync());

    /// <summary>Waits until the delivery is as it should become.</summary>
    public async Task<Delivery> Becomes(Guid id, DeliveryState state) =>
        await Eventually.Get(() => Delivery(id), delivery => delivery.State == state);

    /// <summary>The receiver asks for something to be done with a delivery's notification: <c>ack</c>, <c>resend</c>.</summary>
    public async Task Ask(Guid id, string what)
    {
        using var client = App.CreateClient().As(Keys.Receiver);
        using var answer = await client.PostAsync(new Uri($"/v1/notifications/{(await Delivery(id)).NotificationId}/{what}", UriKind.Relative), null);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Runs work in a scope of its own, as another replica would.</summary>
    public async Task<T> InScope<T>(Func<IServiceProvider, Task<T>> work)
    {
        await using var scope = App.Services.CreateAsyncScope();
        return await work(scope.ServiceProvider);
    }

    public Task<Sweep> Sweep() => InScope(services => services.GetRequiredService<Sweeper>().RunOnce(CancellationToken.None));

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        meters.Dispose();
    }

    private static void StopRelay(IServiceCollection services)
    {
        foreach (var relay in services.Where(s => s.ImplementationType?.Name.StartsWith("RelayService", StringComparison.Ordinal) == true).ToList())
        {
            services.Remove(relay);
        }
    }
}
