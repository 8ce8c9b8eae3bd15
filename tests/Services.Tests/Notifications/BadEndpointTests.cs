using System.Net;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Notifications;

namespace Services.Tests;

/// <summary>What must not become an endpoint.</summary>
public sealed class BadEndpointTests(SqliteService<NotificationsDb> service) : IClassFixture<SqliteService<NotificationsDb>>
{
    /// <summary>The field that is wrong, and its value.</summary>
    public static TheoryData<string, string> Wrong => new()
    {
        { "url", "null" },
        { "url", "\"\"" },
        { "url", "\"receiver.test\"" },
        { "url", "\"https://127.0.0.1/\"" },
        { "url", "\"https://[::1]/\"" },
        { "url", "\"https://2130706433/\"" },
        { "url", "\"http:///hook\"" },
        { "url", "\"ftp://receiver.test/\"" },
        { "url", "\"https://user:password@receiver.test/\"" },
        { "url", "\"https://user@receiver.test/\"" },
        { "url", "\"https://@receiver.test/\"" },
        { "url", "\"https://receiver.test/#part\"" },
        { "url", "\"https://receiver.test/#\"" },
        { "url", "\"https://receiver.test:22/\"" },
        { "url", "\"https://receiver.test/a b\"" },
        { "url", "\"https://receiver.test\\\\@evil.test/\"" },
        { "url", "\"https://receiver.test/\\r\\nX: y\"" },
        { "url", "\"https://bücher.test/\"" },
        { "url", $"\"https://receiver.test/{new string('a', 2048)}\"" },
        { "eventTypes", "null" },
        { "eventTypes", "[]" },
        { "eventTypes[0]", "[\"nothing\"]" },
        { "eventTypes[1]", "[\"points.credited\",null]" },
        { "eventTypes[0]", "[\"endpoint.test\"]" },
        { "description", $"\"{new string('a', 257)}\"" },
        { "headers", """{"Host":"evil.test"}""" },
        { "headers", """{"content-length":"5"}""" },
        { "headers", """{"Webhook-Id":"x"}""" },
        { "headers", """{"Proxy-Authorization":"x"}""" },
        { "headers", """{"Transfer-Encoding":"chunked"}""" },
        { "headers", """{"traceparent":"x"}""" },
        { "headers", """{"X A":"x"}""" },
        { "headers", """{"X:A":"x"}""" },
        { "headers", """{"":"x"}""" },
        { "headers", """{"X-Ä":"x"}""" },
        { "headers", """{"X-A":"x\r\nHost: evil.test"}""" },
        { "headers", """{"X-A":"x\ny"}""" },
        { "headers", """{"X-A":"ä"}""" },
        { "headers", """{"X-A":""}""" },
        { "headers", """{"X-A":null}""" },
        { "headers", """{"X-A":"1","x-a":"2"}""" },
        { "headers", $$"""{"X-A":"{{new string('a', 1025)}}"}""" },
        { "headers", $$"""{{{string.Join(',', Enumerable.Range(0, 21).Select(i => $"\"X-{i}\":\"1\""))}}}""" },
        { "rateLimit", "0" },
        { "rateLimit", "1001" },
        { "rateLimit", "\"fast\"" },
        { "schedule", "\"never\"" },
        { "successBody", "\"\"" },
        { "successBody", $"\"{new string('a', 65)}\"" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task It_is_refused_by_its_field(string field, string value)
    {
        using var client = service.App.CreateClient().As(Keys.Receiver);
        var body = JsonNode.Parse(NotifierClient.Hook)!.AsObject();
        body[field.Split('[')[0]] = JsonNode.Parse(value);

        var response = await client.SendJson(HttpMethod.Post, "/v1/endpoints", body.ToJsonString());

        (await response.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe([field]);
        (await service.App.InDb(db => db.Endpoints.CountAsync(e => e.Description == null))).ShouldBe(0);
    }

    [Fact]
    public async Task A_patch_is_vetted_alike()
    {
        using var client = service.App.CreateClient().As(Keys.Receiver);
        var id = await client.CreateEndpoint("""{"url":"https://receiver.test/","eventTypes":["points.credited"],"description":"mine"}""");
        foreach (var (field, patch) in new[]
        {
            ("url", """{"url":"https://user@receiver.test/"}"""),
            ("url", """{"url":null}"""),
            ("headers", """{"headers":{"Host":"evil.test"}}"""),
            ("rateLimit", """{"rateLimit":"fast"}"""),
        })
        {
            var response = await client.SendJson(HttpMethod.Patch, $"/v1/endpoints/{id}", patch);
            (await response.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe([field]);
        }

        (await service.App.InDb(db => db.Endpoints.SingleAsync())).Version.ShouldBe(1);
    }
}
