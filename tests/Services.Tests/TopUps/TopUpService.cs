using System.Net;
using System.Text.Json.Nodes;
using Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox;
using Outbox.Testing;
using Users;

namespace Services.Tests;

/// <summary>Users.Api and the payment provider, with a clock that moves when told to and a wire between the two.</summary>
public sealed class TopUpService : IAsyncDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(500);

    private readonly TestDatabase database;

    public TopUpService(TestDatabase database)
    {
        this.database = database;
        App = NewApp();
        Client = App.CreateClient();
    }

    public SimulatorApp Provider { get; } = new();

    public PaymentWire Wire { get; } = new();

    public StoringTopUps Storing { get; } = new();

    public ManualTimeProvider Clock { get; } = new(TimeProvider.System.GetUtcNow());

    public ServiceApp<UsersDb> App { get; private set; }

    public HttpClient Client { get; private set; }

    /// <summary>Ends Users.Api and starts it anew; the clock stands still meanwhile.</summary>
    public async Task Restart()
    {
        Client.Dispose();
        await App.DisposeAsync();
        App = NewApp();
        Client = App.CreateClient();
    }

    /// <summary>Has an operator decide about the only message there is, or another.</summary>
    public async Task Operator(Func<IHalfMessages<UsersDb>, long, Task> decide, int place = 0)
    {
        await using var scope = App.Services.CreateAsyncScope();
        await decide(scope.ServiceProvider.GetRequiredService<IHalfMessages<UsersDb>>(), (await Messages())[place].SequenceNumber);
    }

    /// <summary>Registers somebody.</summary>
    public async Task<string> Register(string name = "ada")
    {
        var response = await Client.Register(name, $"{name}@example.com");
        response.StatusCode.ShouldBe(HttpStatusCode.Created);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.GetValue<string>();
    }

    /// <summary>Asks for a top-up; time does not pass by itself meanwhile.</summary>
    public Task<HttpResponseMessage> TopUp(string userId, long amount = 500, string? key = null) =>
        Client.PostText($"/users/{userId}/top-ups", $$"""{"amount":{{amount}}}""", idempotencyKey: key);

    /// <summary>Asks for a top-up and lets time pass until it is answered.</summary>
    public Task<JsonNode> TopUpInTime(string userId, long amount = 500) => Answered(TopUp(userId, amount));

    /// <summary>Lets time pass until the request is answered.</summary>
    public async Task<JsonNode> Answered(Task<HttpResponseMessage> request)
    {
        await Eventually.Is(() =>
        {
            Clock.Advance(Step);
            return request.IsCompleted;
        });
        return await Accepted(await request);
    }

    /// <summary>Lets time pass until the top-up is in that state, however long it takes.</summary>
    public async Task Becomes(string topUpId, string state)
    {
        await Eventually.Holds(async () =>
        {
            Clock.Advance(Step);
            (await State(topUpId)).ShouldBe(state);
        });
    }

    /// <summary>Lets so much time pass, in steps that the service can follow.</summary>
    public async Task Pass(TimeSpan time, TimeSpan? step = null)
    {
        for (var passed = TimeSpan.Zero; passed < time; passed += step ?? Step)
        {
            Clock.Advance(step ?? Step);
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    /// <summary>The state as the API shows it.</summary>
    public async Task<string> State(string topUpId) => (await Client.GetJson($"/top-ups/{topUpId}"))["state"]!.GetValue<string>();

    /// <summary>The money that the provider holds.</summary>
    public async Task<long> Taken()
    {
        using var client = Provider.CreateClient();
        return (await client.GetJson("/payments/total"))["total"]!.GetValue<long>();
    }

    /// <summary>What is to be said, or was said, of top-ups: by state.</summary>
    public Task<List<OutboxMessage>> Messages() => App.InDb(db => db.Set<OutboxMessage>().AsNoTracking()
        .Where(m => m.MessageType.Contains(nameof(TopUpSucceeded))).OrderBy(m => m.SequenceNumber).ToListAsync());

    /// <summary>Reads a 202.</summary>
    public static async Task<JsonNode> Accepted(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(HttpStatusCode.Accepted, text);
        return JsonNode.Parse(text)!;
    }

    private ServiceApp<UsersDb> NewApp() => new(database, services =>
    {
        services.AddSingleton<TimeProvider>(Clock);
        services.ConfigureDbContext<UsersSqlite>(options => options.AddInterceptors(Storing));
        services.ConfigureDbContext<UsersPostgres>(options => options.AddInterceptors(Storing));
        services.AddHttpClient(nameof(Payments)).ConfigurePrimaryHttpMessageHandler(() => Wire.To(Provider.Server.CreateHandler()));
    });

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
        await Provider.DisposeAsync();
        await database.DisposeAsync();
    }
}
