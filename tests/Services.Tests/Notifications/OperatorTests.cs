using System.Net;
using Microsoft.EntityFrameworkCore;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>The operator makes receivers; nobody else does.</summary>
public sealed class OperatorTests : ServiceTests<NotificationsDb>
{
    private const string Shop = """{"name":"shop"}""";

    [Fact]
    public async Task A_receiver_is_made_with_a_key_that_is_shown_once_and_kept_as_a_hash()
    {
        Client.As(Keys.Operator);

        var made = await Client.PostJson("/v1/receivers", """{"name":"shop","eventTypes":["points.credited"]}""", HttpStatusCode.Created);

        var key = made["apiKey"]!.GetValue<string>();
        made["eventTypes"]!.ToJsonString().ShouldBe("""["points.credited"]""");
        (await App.InDb(db => db.Receivers.SingleAsync(r => r.Name == "shop"))).ApiKeyHash.ShouldBe(ApiKey.Hash(key));
        (await Client.As(key).GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("")]
    [InlineData(Keys.Receiver)]
    [InlineData(Keys.Operator + "x")]
    public async Task Nobody_else_makes_one(string key)
    {
        if (key.Length > 0)
        {
            Client.As(key);
        }

        await (await Client.SendJson(HttpMethod.Post, "/v1/receivers", Shop)).ShouldBeProblem(HttpStatusCode.Unauthorized, "unauthorized");
        (await App.InDb(db => db.Receivers.CountAsync())).ShouldBe(1);
    }

    [Fact]
    public async Task The_operator_is_no_receiver() =>
        await (await Client.As(Keys.Operator).GetAsync("/v1/notifications")).ShouldBeProblem(HttpStatusCode.Unauthorized, "unauthorized");

    [Fact]
    public async Task A_name_is_given_once()
    {
        Client.As(Keys.Operator);
        await Client.PostJson("/v1/receivers", Shop, HttpStatusCode.Created);

        await (await Client.SendJson(HttpMethod.Post, "/v1/receivers", Shop)).ShouldBeProblem(HttpStatusCode.Conflict, "duplicate-name");
    }

    [Theory]
    [InlineData("""{}""", "name")]
    [InlineData("""{"name":""}""", "name")]
    [InlineData("""{"name":"a\tb"}""", "name")]
    [InlineData("""{"name":"shop","eventTypes":[]}""", "eventTypes")]
    [InlineData("""{"name":"shop","eventTypes":["nothing"]}""", "eventTypes[0]")]
    public async Task What_is_wrong_is_named(string body, string field) =>
        (await (await Client.As(Keys.Operator).SendJson(HttpMethod.Post, "/v1/receivers", body)).ShouldBeProblem(HttpStatusCode.BadRequest, "validation"))
            .Fields().ShouldBe([field]);

    [Fact]
    public async Task Without_a_configured_key_it_is_closed()
    {
        await using var database = TestDatabase.Sqlite();
        await using var closed = new ServiceApp<NotificationsDb>(database) { Settings = { ["Operator:ApiKey"] = "" } };
        using var client = closed.CreateClient();

        foreach (var key in new[] { Keys.Operator, "" })
        {
            client.DefaultRequestHeaders.Remove("Authorization");
            client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {key}");
            await (await client.SendJson(HttpMethod.Post, "/v1/receivers", Shop)).ShouldBeProblem(HttpStatusCode.Unauthorized, "unauthorized");
        }
    }
}
