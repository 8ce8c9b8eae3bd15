using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A merchant that never works is given up and never forgotten: all by what the API offers, over real HTTP.</summary>
public sealed class DeadMerchantTests : IAsyncLifetime
{
    private readonly TestDatabase database = TestDatabase.Sqlite();
    private readonly SimulatorApp simulators = new();
    private Notifier? notifier;
    private HttpClient? client;

    private HttpClient Client => client!;

    [Fact]
    public async Task What_a_dead_merchant_was_to_be_told_is_found_and_recovered_and_resent_and_acknowledged()
    {
        var since = TimeProvider.System.GetUtcNow();
        var endpoint = await Client.PostJson(
            "/v1/endpoints",
            $$"""{"url":"{{new Uri(simulators.Listen(), "/merchant/webhooks")}}","eventTypes":["topup.succeeded"],"schedule":"demo"}""",
            HttpStatusCode.Created);
        using var merchant = simulators.CreateClient();
        (await merchant.PutAsJsonAsync("/merchant/secret", new { secret = endpoint["secret"]!.GetValue<string>() })).EnsureSuccessStatusCode();
        await simulators.SetMerchant("fail");
        var start = (await Client.GetJson("/v1/notifications"))["next"]!.GetValue<string>();

        // Told while it is paused, and resumed when the most of the schedule has gone by.
        await Client.PostJson($"/v1/endpoints/{endpoint["id"]}/pause", "{}", HttpStatusCode.OK);
        string[] keys = [await notifier!.Tell(), await notifier.Tell(), await notifier.Tell()];
        await Eventually.Holds(async () => (await States()).ShouldBe(["held", "held", "held"]));
        await notifier.App.InDb(db => db.Deliveries.ExecuteUpdateAsync(set => set.SetProperty(d => d.Step, 6)));
        await Client.PostJson($"/v1/endpoints/{endpoint["id"]}/resume", "{}", HttpStatusCode.OK);
        await Eventually.Holds(async () => (await States()).ShouldBe(["exhausted", "exhausted", "exhausted"]));

        // By query and by cursor, by key, by id.
        var given = await Find($"after={start}&status=exhausted");
        given.Select(item => item["businessKey"]!.GetValue<string>()).Order(StringComparer.Ordinal).ShouldBe(keys.Order(StringComparer.Ordinal));
        (await Find("status=pending")).ShouldBeEmpty();
        List<string> ids = [];
        foreach (var key in keys)
        {
            var found = await Client.GetJson($"/v1/notifications/by-key/topup.succeeded/{key}");
            found["status"]!.GetValue<string>().ShouldBe("exhausted");
            ids.Add(found["id"]!.GetValue<string>());
            (await Client.GetJson($"/v1/notifications/{ids[^1]}")).ToJsonString().ShouldBe(found.ToJsonString());
            (await Statuses(ids[^1])).ShouldBe([500, 500]);
        }

        var (recovered, resent, acknowledged) = (ids[0], ids[1], ids[2]);
        await simulators.SetMerchant("ok");
        await Client.PostJson($"/v1/notifications/{acknowledged}/ack", "{}", HttpStatusCode.OK);
        await Client.PostJson($"/v1/notifications/{resent}/resend", "{}", HttpStatusCode.Accepted);
        await Become("delivered", resent);
        var job = await Client.PostJson(
            $"/v1/endpoints/{endpoint["id"]}/recover", $$"""{"since":"{{since:O}}","scope":"failed"}""", HttpStatusCode.Accepted);
        await Become("delivered", recovered);

        var done = await Eventually.Get(() => Client.GetJson($"/v1/jobs/{job["id"]}"), found => found["status"]!.GetValue<string>() == "done");
        done["recovered"]!.GetValue<int>().ShouldBe(1, "what was resent or acknowledged needs no recovery");
        (await Client.GetJson($"/v1/notifications/{acknowledged}"))["status"]!.GetValue<string>().ShouldBe("acknowledged");
        (await Statuses(resent)).ShouldBe([500, 500, 204]);
        (await Statuses(recovered)).ShouldBe([500, 500, 204]);
        (await Statuses(acknowledged)).ShouldBe([500, 500]);

        // The merchant's own book, which holds what bore a right signature.
        var received = (await merchant.GetFromJsonAsync<JsonNode>("/merchant/received?limit=100"))!["items"]!.AsArray();
        received.Count.ShouldBe(8);
        received.Where(webhook => webhook!["mode"]!.GetValue<string>() == "ok").Select(webhook => webhook!["webhookId"]!.GetValue<string>())
            .ShouldBe([resent, recovered]);
    }

    public Task InitializeAsync()
    {
        notifier = new Notifier(database);
        client = notifier.App.CreateClient().As(Keys.Receiver);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await (notifier?.DisposeAsync() ?? ValueTask.CompletedTask);
        await simulators.DisposeAsync();
        await database.DisposeAsync();
    }

    private async Task<List<string>> States() => (await Find("")).ConvertAll(item => item["status"]!.GetValue<string>());

    private async Task<List<JsonNode>> Find(string query) =>
        [.. (await Client.GetJson($"/v1/notifications?{query}"))["items"]!.AsArray().Select(item => item!)];

    private async Task<List<int>> Statuses(string id) =>
        [.. (await Client.GetJson($"/v1/notifications/{id}/attempts"))["items"]!.AsArray().Select(item => item!["statusCode"]!.GetValue<int>())];

    private Task Become(string status, string id) => Eventually.Get(
        async () => (await Client.GetJson($"/v1/notifications/{id}"))["status"]!.GetValue<string>(), found => found == status);
}
