using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Contracts;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Points;
using ServiceDefaults;
using Users;

namespace Benchmarks;

/// <summary>
/// How long it takes from the answer to <c>POST /users</c> until the welcome points are committed: Users.Api and Points.Worker in this process, over
/// RabbitMQ, each with a database of its own.
/// </summary>
internal static class Latency
{
    private const int Rate = 200;

    public static async Task RunAsync(Bench bench, Report report, TimeSpan duration)
    {
        var credited = new Credited();
        await using var points = await ServiceAsync(bench, "Points", b => b.AddPoints(), b => b.AddPoints(), a => a.MapPoints());
        points.Services.GetRequiredService<IBus>().ConnectReceiveObserver(credited);

        // As the notifier would: without anybody who listens, every credit would be returned and tried again, more and more of them.
        await bench.BindAsync("bench-credited", "Contracts:PointsCredited");
        await using var users = await ServiceAsync(bench, "Users", b => b.AddUsers(), b => b.AddUsers(), a => a.MapUsers());
        using var http = new HttpClient { BaseAddress = new Uri(users.Urls.First()) };
        await MeasureAsync(http, credited, TimeSpan.FromSeconds(10), "warm-up");

        var (took, lost) = await MeasureAsync(http, credited, duration, "measured");
        report.Value($"Latency: from the answer of POST /users to the points, {Rate}/s, p50", At(0.5), "ms", atMost: 10, books: new Books(lost, credited.Twice, 0));
        report.Value($"Latency: from the answer of POST /users to the points, {Rate}/s, p99", At(0.99), "ms", atMost: 50);
        await users.StopAsync();
        await points.StopAsync();

        double At(double part) => took[Math.Min(took.Count - 1, (int)(took.Count * part))];
    }

    private static async Task<(IReadOnlyList<double> Took, int Lost)> MeasureAsync(HttpClient http, Credited credited, TimeSpan duration, string name)
    {
        var (started, count) = (Stopwatch.GetTimestamp(), (int)(Rate * duration.TotalSeconds));
        var posts = new List<Task<(Guid User, long Answered)>>(count);
        for (var i = 0; i < count; i++)
        {
            var due = TimeSpan.FromSeconds((double)i / Rate) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.FromMilliseconds(1))
                await Task.Delay(due, TimeProvider.System);
            posts.Add(PostAsync($"{name}-{i}"));
        }

        var answers = await Task.WhenAll(posts);
        for (var waited = 0; answers.Any(a => credited.At(a.User) is null) && waited < 300; waited++)
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);

        // The points may be there before the answer has been read.
        var took = answers.Select(a => credited.At(a.User) is { } at ? Math.Max(0, Stopwatch.GetElapsedTime(a.Answered, at).TotalMilliseconds) : double.NaN)
            .Where(t => !double.IsNaN(t)).Order().ToList();
        return (took, count - took.Count);

        async Task<(Guid User, long Answered)> PostAsync(string user)
        {
            using var answer = await http.PostAsJsonAsync("/users", new { userName = user, email = $"{user}@example.com" });
            using var body = await JsonDocument.ParseAsync(await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync());
            return (body.RootElement.GetProperty("id").GetGuid(), Stopwatch.GetTimestamp());
        }
    }

    private static async Task<WebApplication> ServiceAsync(
        Bench bench, string name, Action<WebApplicationBuilder> add, Action<IBusRegistrationConfigurator> bus, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration["Database:Provider"] = "Postgres";
        builder.Configuration[$"ConnectionStrings:{name}"] = await bench.NewDatabaseAsync();
        builder.Configuration["ConnectionStrings:RabbitMq"] = bench.RabbitMq.AbsoluteUri;
        builder.AddServiceDefaults(0);
        builder.Configuration["urls"] = "http://127.0.0.1:0";
        add(builder);
        builder.AddServiceBus(bus);
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.UseServiceDefaults();
        map(app);
        await using (var scope = app.Services.CreateAsyncScope())
        {
            foreach (var step in scope.ServiceProvider.GetServices<IStartStep>())
                await step.Run(CancellationToken.None);
        }

        await app.StartAsync();
        return app;
    }

    /// <summary>When the points of whom were committed: the bus is told of a consumption after the commit.</summary>
    private sealed class Credited : IReceiveObserver
    {
        private readonly ConcurrentDictionary<Guid, long> _at = [];
        private int _twice;

        public int Twice => _twice;

        public long? At(Guid user) => _at.TryGetValue(user, out var at) ? at : null;

        public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class
        {
            if (context.Message is UserRegistered user && !_at.TryAdd(user.UserId, Stopwatch.GetTimestamp()))
                Interlocked.Increment(ref _twice);
            return Task.CompletedTask;
        }

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class
            => Task.CompletedTask;

        public Task ReceiveFault(ReceiveContext context, Exception exception) => Task.CompletedTask;
    }
}
