using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Services.Tests;

/// <summary>What a receiver, or the operator, says to the notifier.</summary>
internal static class NotifierClient
{
    public const string Hook = """{"url":"https://receiver.test/hook","eventTypes":["points.credited"]}""";

    /// <summary>Speaks with a key from now on.</summary>
    public static HttpClient As(this HttpClient client, string key)
    {
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>Sends JSON and returns the answer, whatever it is.</summary>
    public static Task<HttpResponseMessage> SendJson(
        this HttpClient client, HttpMethod method, string path, string? body = null, string? ifMatch = null)
    {
        var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
        }

        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return client.SendAsync(request);
    }

    /// <summary>Posts JSON, which must be answered with this status, and returns the answer.</summary>
    public static async Task<JsonNode> PostJson(this HttpClient client, string path, string body, HttpStatusCode status)
    {
        var response = await client.SendJson(HttpMethod.Post, path, body);
        return await response.Json(status);
    }

    /// <summary>Makes an endpoint and returns its id.</summary>
    public static async Task<string> CreateEndpoint(this HttpClient client, string body = Hook) =>
        (await client.PostJson("/v1/endpoints", body, HttpStatusCode.Created))["id"]!.GetValue<string>();

    /// <summary>Makes a receiver and returns its key.</summary>
    public static async Task<string> CreateReceiver(this HttpClient client, string name, string eventTypes = "null")
    {
        var before = client.DefaultRequestHeaders.Authorization;
        client.As(Keys.Operator);
        var created = await client.PostJson("/v1/receivers", $$"""{"name":"{{name}}","eventTypes":{{eventTypes}}}""", HttpStatusCode.Created);
        client.DefaultRequestHeaders.Authorization = before;
        return created["apiKey"]!.GetValue<string>();
    }

    /// <summary>The body of an answer that must have this status.</summary>
    public static async Task<JsonNode> Json(this HttpResponseMessage response, HttpStatusCode status)
    {
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(status, text);
        return JsonNode.Parse(text)!;
    }
}
