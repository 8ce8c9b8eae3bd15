using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Services.Tests;

internal static class JsonRequests
{
    /// <summary>Posts text as it is.</summary>
    public static Task<HttpResponseMessage> PostText(
        this HttpClient client, string path, string body, string? contentType = "application/json", string? idempotencyKey = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        if (contentType is not null)
        {
            request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }

        if (idempotencyKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        }

        return client.SendAsync(request);
    }

    /// <summary>Registers a user.</summary>
    public static Task<HttpResponseMessage> Register(
        this HttpClient client, string userName, string email, string? idempotencyKey = null) =>
        client.PostText(
            "/users",
            new JsonObject { ["userName"] = userName, ["email"] = email }.ToJsonString(),
            idempotencyKey: idempotencyKey);

    /// <summary>Reads JSON that must have been answered with 200.</summary>
    public static async Task<JsonNode> GetJson(this HttpClient client, string path)
    {
        var response = await client.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }

    /// <summary>Reads a list to its end, page by page, and returns the values of a field.</summary>
    public static async Task<List<string>> ReadAll(this HttpClient client, string path, int limit, string field)
    {
        List<string> values = [];
        for (string? next = ""; next is not null;)
        {
            var page = await client.GetJson($"{path}?limit={limit}&after={next}");
            var items = page["items"]!.AsArray();
            items.Count.ShouldBeLessThanOrEqualTo(limit);
            values.AddRange(items.Select(item => item![field]!.ToString()));
            next = items.Count < limit ? null : page["next"]?.GetValue<string>();   // a list that grows always has a next
        }

        return values;
    }
}
