using System.Net;
using Microsoft.Data.Sqlite;
using Outbox.Testing;
using Users;

namespace Services.Tests;

public sealed class HealthTests : IAsyncLifetime
{
    private readonly TestDatabase database = TestDatabase.Sqlite();

    [Fact]
    public async Task Is_ready_with_its_database_and_its_bus()
    {
        await using var app = new ServiceApp<UsersDb>(database);
        using var client = app.CreateClient();

        await Eventually.Holds(async () =>
        {
            var health = await client.GetJson("/health/ready");
            health["status"]!.GetValue<string>().ShouldBe("Healthy");
            health["checks"]!["database-users"]!.GetValue<string>().ShouldBe("Healthy");
            health["checks"]!["masstransit-bus"]!.GetValue<string>().ShouldBe("Healthy");
        });
    }

    [Fact]
    public async Task Goes_on_answering_while_the_broker_is_away()
    {
        await using var app = new ServiceApp<UsersDb>(database)
        {
            Settings = { ["ConnectionStrings:RabbitMq"] = "amqp://guest:guest@localhost:1/" },
        };
        using var client = app.CreateClient();

        (await client.Register("ada", "ada@example.com")).StatusCode.ShouldBe(HttpStatusCode.Created);
        var health = await client.GetJson("/health/ready");
        health["status"]!.GetValue<string>().ShouldBe("Degraded");
        health["checks"]!["masstransit-bus"]!.GetValue<string>().ShouldBe("Degraded");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Has_started_when_its_queues_have_been_there_once(bool broker)
    {
        await using var app = new ServiceApp<UsersDb>(database);
        if (!broker)
        {
            app.Settings["ConnectionStrings:RabbitMq"] = "amqp://guest:guest@localhost:1/";
        }

        using var client = app.CreateClient();

        await Eventually.Holds(async () =>
            (await client.GetAsync("/health/started")).StatusCode.ShouldBe(broker ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable));
    }

    [Fact]
    public async Task Is_alive_but_not_ready_without_its_database()
    {
        await using var app = new ServiceApp<UsersDb>(database);
        using var client = app.CreateClient();
        var file = new SqliteConnectionStringBuilder(database.ConnectionString).DataSource;
        File.Delete(file);
        Directory.CreateDirectory(file);   // or the relay would make a new one

        (await client.GetAsync("/health/ready")).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await client.GetAsync("/health/live")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await database.DisposeAsync();
}
