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

    [Theory]
    [InlineData(null, true)]
    [InlineData("{}", true)]
    [InlineData("""{"graceSeconds":604800}""", true)]
    [InlineData("""{"graceSeconds":0}""", false)]
    public async Task A_new_key_leaves_the_old_one_its_grace(string? body, bool keepsOld)
    {
        var (id, old) = await Shopkeeper();

        var rotated = await (await Client.As(Keys.Operator).SendJson(HttpMethod.Post, $"/v1/receivers/{id}/rotate-key", body)).Json(HttpStatusCode.OK);
        var key = rotated["apiKey"]!.GetValue<string>();

        (await Client.As(key).GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Client.As(old).GetAsync("/v1/notifications")).StatusCode.ShouldBe(keepsOld ? HttpStatusCode.OK : HttpStatusCode.Unauthorized);
        (rotated["previousKeyUntil"] is not null).ShouldBe(keepsOld);
        await App.InDb(db => db.Receivers.ExecuteUpdateAsync(set => set.SetProperty(r => r.PreviousApiKeyUntil, DateTime.UnixEpoch)));
        (await Client.As(old).GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, "the grace is over");
        (await Client.As(key).GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Of_three_keys_the_last_two_are_good()
    {
        var (id, first) = await Shopkeeper();
        List<string> keys = [first];
        for (var i = 0; i < 2; i++)
        {
            keys.Add((await Client.As(Keys.Operator).PostJson($"/v1/receivers/{id}/rotate-key", "{}", HttpStatusCode.OK))["apiKey"]!.GetValue<string>());
        }

        var answers = new List<HttpStatusCode>();
        foreach (var key in keys)
        {
            answers.Add((await Client.As(key).GetAsync("/v1/notifications")).StatusCode);
        }

        answers.ShouldBe([HttpStatusCode.Unauthorized, HttpStatusCode.OK, HttpStatusCode.OK]);
    }

    [Fact]
    public async Task A_key_that_cannot_be_rotated_stays()
    {
        var (id, key) = await Shopkeeper();
        var configured = await App.InDb(db => db.Receivers.Where(r => r.Name == "default").Select(r => r.Id).SingleAsync());
        foreach (var (who, path, body, status, type) in new[]
        {
            (key, $"/v1/receivers/{id}/rotate-key", "{}", HttpStatusCode.Unauthorized, "unauthorized"),
            (Keys.Operator, $"/v1/receivers/{MassTransit.NewId.NextGuid()}/rotate-key", "{}", HttpStatusCode.NotFound, "not-found"),
            (Keys.Operator, $"/v1/receivers/{configured}/rotate-key", "{}", HttpStatusCode.Conflict, "configured-key"),
            (Keys.Operator, $"/v1/receivers/{id}/rotate-key", """{"graceSeconds":604801}""", HttpStatusCode.BadRequest, "validation"),
            (Keys.Operator, $"/v1/receivers/{id}/rotate-key", """{"graceSeconds":-1}""", HttpStatusCode.BadRequest, "validation"),
        })
        {
            await (await Client.As(who).SendJson(HttpMethod.Post, path, body)).ShouldBeProblem(status, type);
        }

        (await Client.As(key).GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Client.As(Keys.Receiver).GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task The_operator_sees_who_there_is_page_by_page_and_no_keys()
    {
        var (id, key) = await Shopkeeper();
        Client.As(Keys.Operator);

        var first = await Client.GetJson("/v1/receivers?limit=1");
        var second = await Client.GetJson($"/v1/receivers?limit=1&after={first["next"]}");

        first["items"]!.AsArray().ShouldHaveSingleItem()!["name"]!.GetValue<string>().ShouldBe("default");
        second["items"]!.AsArray().ShouldHaveSingleItem()!["id"]!.GetValue<string>().ShouldBe(id);
        second["next"].ShouldBeNull();
        second.ToJsonString().ShouldNotContain(ApiKey.Hash(key));
        await (await Client.As(key).GetAsync("/v1/receivers")).ShouldBeProblem(HttpStatusCode.Unauthorized, "unauthorized");
    }

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

    private async Task<(string Id, string Key)> Shopkeeper()
    {
        var made = await Client.As(Keys.Operator).PostJson("/v1/receivers", Shop, HttpStatusCode.Created);
        return (made["id"]!.GetValue<string>(), made["apiKey"]!.GetValue<string>());
    }
}
