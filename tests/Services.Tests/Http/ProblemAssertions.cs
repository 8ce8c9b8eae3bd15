using System.Net;
using System.Text.Json.Nodes;

namespace Services.Tests;

/// <summary>What must be true of every error answer.</summary>
internal static class ProblemAssertions
{
    /// <summary>Checks status, media type, stable type and trace id, and returns the rest.</summary>
    public static async Task<JsonNode> ShouldBeProblem(this HttpResponseMessage response, HttpStatusCode status, string type)
    {
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(status, text);
        response.Content.Headers.ContentType?.MediaType.ShouldBe("application/problem+json");
        var problem = JsonNode.Parse(text)!;
        problem["type"]?.GetValue<string>().ShouldBe($"urn:outbox:problem:{type}");
        problem["status"]?.GetValue<int>().ShouldBe((int)status);
        problem["title"]?.GetValue<string>().ShouldNotBeNullOrEmpty();
        problem["traceId"]?.GetValue<string>().ShouldMatch("^[0-9a-f]{32}$");
        return problem;
    }

    /// <summary>The fields that a problem of type <c>validation</c> names.</summary>
    public static string[] Fields(this JsonNode problem) => [.. problem["errors"]!.AsObject().Select(error => error.Key)];
}
