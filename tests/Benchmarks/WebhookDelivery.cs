using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notifications;
using ServiceDefaults;

namespace Benchmarks;

/// <summary>
/// How long it takes from the publishing of an event to the receipt of its webhook, one event an endpoint, with one endpoint in ten hanging. First
/// at one rate (200 a second); then it rises until 95 in 100 no longer arrive within <see cref="Aim"/>.
/// </summary>
/// <remarks>
/// Publisher, notifier and receivers share this process and its cores; broker and database share the machine. The time counts from
/// when an event was to be published: a publisher that falls behind hides nothing.
/// </remarks>
internal sealed class WebhookDelivery : IAsyncDisposable
{
    private const int Endpoints = 10;
    private const int Dead = 0;
    private const int Most = 2_000_000;
    private static readonly TimeSpan Aim = TimeSpan.FromMilliseconds(125);

    private readonly long[] _published = new long[Most];
    private readonly long[] _received = new long[Most];
    private readonly ServersTime _servers;
    private readonly WebApplication _receivers;
    private readonly WebApplication _notifier;
    private int _next;
    private int _twice;

    private WebhookDelivery(Bench bench, string database, ServersTime servers)
    {
        _servers = servers;
        _receivers = Receivers();
        _notifier = Notifier(bench, database);
    }

    public static async Task RunAsync(Bench bench, string database, int rate, TimeSpan duration)
    {
        await using var run = new WebhookDelivery(bench, $"{await bench.NewDatabaseAsync()};{database}", await bench.ServersTimeAsync());
        await run.StartAsync();
        Console.WriteLine($"{Endpoints} endpoints, one of them hanging; {duration.TotalSeconds:0} s a rate, after 10 s of warming up.");
        Console.WriteLine("| deliveries/s | p50 ms | p95 ms | p99 ms | most ms | lost | twice | CPU ms each | servers' CPU ms each | heap MB | working set MB |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        await run.MeasureAsync(100, TimeSpan.FromSeconds(10), print: false);

        // The first rate three times: whether memory grows shows in its columns.
        for (var i = 0; i < 2; i++)
            await run.MeasureAsync(rate, duration, print: true);
        while (await run.MeasureAsync(rate, duration, print: true) <= Aim)
            rate += rate < 1000 ? 100 : 250;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"p95 passed {Aim.TotalMilliseconds:0} ms at {rate} deliveries/s."));
        Console.WriteLine(await run.KeptAsync());
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(5), TimeProvider.System);
        await _notifier.StopAsync(now.Token);
        await _notifier.DisposeAsync();
        await _receivers.StopAsync(now.Token);
        await _receivers.DisposeAsync();
    }

    private async Task StartAsync()
    {
        await _receivers.StartAsync();
        await using (var scope = _notifier.Services.CreateAsyncScope())
        {
            foreach (var step in scope.ServiceProvider.GetServices<IStartStep>())
                await step.Run(CancellationToken.None);
            var db = scope.ServiceProvider.GetRequiredService<NotificationsDb>();
            var receiver = await db.Receivers.SingleAsync();
            var box = scope.ServiceProvider.GetRequiredService<SecretBox>();
            for (var i = 0; i < Endpoints; i++)
            {
                var id = NewId.NextGuid();
                db.Endpoints.Add(new WebhookEndpoint
                {
                    Id = id,
                    ReceiverId = receiver.Id,
                    Url = $"{_receivers.Urls.First()}/{(i == Dead ? "hang" : "take")}",
                    EventTypes = EventTypeList.Write([Name(i)]),
                    Secret = box.Seal(id, WebhookSecret.Create()),
                });
            }

            await db.SaveChangesAsync();
        }

        await _notifier.StartAsync();
    }

    /// <summary>Publishes at a rate, whatever becomes of it, and waits until the living have what they are to have.</summary>
    private async Task<TimeSpan> MeasureAsync(int rate, TimeSpan duration, bool print)
    {
        var bus = _notifier.Services.GetRequiredService<IBus>();
        var (first, count, twice) = (_next, (int)(rate * duration.TotalSeconds), _twice);
        var (cpu, servers, started) = (Process.GetCurrentProcess().TotalProcessorTime, _servers.Now(), Stopwatch.GetTimestamp());
        var publishing = new List<Task>(count);
        for (var i = 0; i < count; i++)
        {
            var due = TimeSpan.FromSeconds((double)i / rate) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.FromMilliseconds(1))
                await Task.Delay(due, TimeProvider.System);
            var number = _next++;
            _published[number] = Math.Min(Stopwatch.GetTimestamp(), started + (long)(i * (double)Stopwatch.Frequency / rate));
            publishing.Add(Tell[number % Endpoints](bus, number));
        }

        await Task.WhenAll(publishing);
        for (var waited = 0; Lost() > 0 && waited < 300; waited++)
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);

        var used = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds / count;
        var (lost, serversUsed) = (Lost(), (_servers.Now() - servers).TotalMilliseconds / count);
        var took = Enumerable.Range(first, count).Where(n => _received[n] != 0)
            .Select(n => Stopwatch.GetElapsedTime(_published[n], _received[n]).TotalMilliseconds).Order().ToArray();
        if (took.Length == 0)
            throw new InvalidOperationException($"Nothing of {count} was received.");
        if (print)
        {
            var heap = GC.GetTotalMemory(forceFullCollection: true) / 1048576.0;
            using var process = Process.GetCurrentProcess();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {rate} | {At(0.5):0.0} | {At(0.95):0.0} | {At(0.99):0.0} | {took[^1]:0.0} | {lost} | {_twice - twice} | {used:0.00} | {serversUsed:0.00} | {heap:0} | {process.WorkingSet64 / 1048576.0:0} |"));
        }

        return lost > 0 ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(At(0.95));

        int Lost() => Enumerable.Range(first, count).Count(n => n % Endpoints != Dead && Volatile.Read(ref _received[n]) == 0);
        double At(double part) => took[Math.Min(took.Length - 1, (int)(took.Length * part))];
    }

    /// <summary>What the database says of all that was published: for the living delivered, for the hanging one kept.</summary>
    private async Task<string> KeptAsync()
    {
        await using var scope = _notifier.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NotificationsDb>();
        var states = await db.Deliveries.GroupBy(d => d.State).Select(group => new { State = group.Key, Count = group.Count() }).ToListAsync();
        return $"{_next} published; deliveries: {string.Join(", ", states.OrderBy(s => s.State).Select(s => $"{s.Count} {s.State}"))}.";
    }

    private WebApplication Receivers()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/hang", async (HttpContext http) => await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted));
        app.MapPost("/take", async (HttpContext http) =>
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body);
            var number = body.RootElement.GetProperty("data").GetProperty("number").GetInt32();
            if (Interlocked.CompareExchange(ref _received[number], Stopwatch.GetTimestamp(), 0) != 0)
                Interlocked.Increment(ref _twice);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        return app;
    }

    private static WebApplication Notifier(Bench bench, string database)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration["Database:Provider"] = "Postgres";
        builder.Configuration["ConnectionStrings:Notifications"] = database;
        builder.Configuration["ConnectionStrings:RabbitMq"] = bench.RabbitMq.AbsoluteUri;
        builder.Configuration[ApiKey.Setting] = new string('k', 64);
        builder.Configuration["Operator:ApiKey"] = new string('o', 64);
        builder.Configuration[EncryptionKeys.Current] = EncryptionKeys.Create();
        builder.Configuration["Delivery:AllowedNetworks"] = "127.0.0.0/8";
        builder.Configuration["Delivery:AllowedPorts"] = "1-65535";
        builder.AddServiceDefaults(0);
        builder.Configuration["urls"] = "http://127.0.0.1:0";
        builder.AddNotifications();
        builder.AddServiceBus(bus => bus.AddNotifications(), AddEvents);
        builder.Logging.ClearProviders();
        return builder.Build();
    }

    private static string Name(int endpoint) => string.Create(CultureInfo.InvariantCulture, $"bench.{endpoint}");

    // One type an endpoint, so that each event goes to one.
    private static void AddEvents(IBusRegistrationConfigurator bus)
    {
        Add<Slot0>(bus, 0);
        Add<Slot1>(bus, 1);
        Add<Slot2>(bus, 2);
        Add<Slot3>(bus, 3);
        Add<Slot4>(bus, 4);
        Add<Slot5>(bus, 5);
        Add<Slot6>(bus, 6);
        Add<Slot7>(bus, 7);
        Add<Slot8>(bus, 8);
        Add<Slot9>(bus, 9);
    }

    private static readonly Func<IBus, int, Task>[] Tell =
    [
        Publish<Slot0>, Publish<Slot1>, Publish<Slot2>, Publish<Slot3>, Publish<Slot4>, Publish<Slot5>, Publish<Slot6>, Publish<Slot7>, Publish<Slot8>, Publish<Slot9>,
    ];

    private static Task Publish<TSlot>(IBus bus, int number) => bus.Publish(new Happened<TSlot>(number));

    private static void Add<TSlot>(IBusRegistrationConfigurator bus, int endpoint)
    {
        bus.AddSingleton(new EventType<Happened<TSlot>>(
            Name(endpoint), m => m.Number.ToString(CultureInfo.InvariantCulture), _ => DateTime.UnixEpoch, m => new { m.Number }));
        bus.AddConsumer<AcceptEvent<Happened<TSlot>>, AcceptEventDefinition<Happened<TSlot>>>();
    }

    private sealed class Slot0;

    private sealed class Slot1;

    private sealed class Slot2;

    private sealed class Slot3;

    private sealed class Slot4;

    private sealed class Slot5;

    private sealed class Slot6;

    private sealed class Slot7;

    private sealed class Slot8;

    private sealed class Slot9;
}

/// <summary>What the benchmark tells of: a type for each endpoint.</summary>
public sealed record Happened<TSlot>(int Number);
