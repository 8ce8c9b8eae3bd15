using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>The merchant is told, however it behaves, and finds the same in the feed.</summary>
public class NotificationTests
{
    private const int Users = 20;

    [SkippableFact]
    public async Task A_merchant_that_fails_at_first_is_told_of_everything_once_and_its_feed_agrees()
    {
        var shop = await DeployedShop.RequireAsync();
        using var http = new HttpClient { BaseAddress = shop.Notifications };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", shop.OperatorKey);
        var receiver = await PostAsync(http, "/v1/receivers", new { name = DeployedShop.NewName("merchant") });
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", receiver["apiKey"]!.GetValue<string>());
        var endpoint = await PostAsync(
            http, "/v1/endpoints", new { url = shop.MerchantAddress, eventTypes = new[] { "points.credited" }, schedule = "demo" });
        await PutAsync(shop.Simulators, "/merchant/secret", new { secret = endpoint["secret"]!.GetValue<string>() });
        await PutAsync(shop.Simulators, "/merchant/behaviour", new { mode = "fail", times = 5 });

        var crowd = Crowd.Start(shop.Entrances, Users, name: DeployedShop.NewName("told"));
        await crowd.Finished;
        var wanted = crowd.Answered.Select(id => $"welcome:{id}").Order(StringComparer.Ordinal).ToList();

        // What the merchant took, each once: by its id, since an attempt that it refused arrives again.
        await Eventually.Holds(
            async () => (await ReceivedAsync(shop.Simulators))
                .Where(webhook => webhook["mode"]!.GetValue<string>() == "ok")
                .Select(webhook => webhook["body"]!["data"]!["userId"]!.GetValue<Guid>())
                .Where(crowd.Answered.Contains)
                .Select(id => $"welcome:{id}")
                .Order(StringComparer.Ordinal)
                .ShouldBe(wanted),
            Eventually.Limit * 6);

        // And what it finds by asking, as if it had never been told.
        var feed = (await http.GetFromJsonAsync<JsonNode>("/v1/notifications?limit=250&type=points.credited"))!["items"]!.AsArray();
        feed.Select(item => item!["businessKey"]!.GetValue<string>()).Where(wanted.Contains).Order(StringComparer.Ordinal).ShouldBe(wanted);
        await PostAsync(http, $"/v1/endpoints/{endpoint["id"]}/pause", new { });
    }

    private static async Task<JsonNode> PostAsync(HttpClient http, string path, object body)
    {
        using var answer = await http.PostAsJsonAsync(path, body);
        answer.IsSuccessStatusCode.ShouldBeTrue($"{path}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    private static async Task PutAsync(Uri at, string path, object body)
    {
        using var http = new HttpClient { BaseAddress = at };
        using var answer = await http.PutAsJsonAsync(path, body);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<List<JsonNode>> ReceivedAsync(Uri simulators)
    {
        using var http = new HttpClient { BaseAddress = simulators };
        List<JsonNode> received = [];
        string? after = null;
        do
        {
            var page = (await http.GetFromJsonAsync<JsonElement>($"/merchant/received?limit=100&after={after}")).Deserialize<JsonObject>()!;
            received.AddRange(page["items"]!.AsArray().Select(item => item!));
            after = page["next"]?.GetValue<string>();
        }
        while (after is not null);
        return received;
    }
}
