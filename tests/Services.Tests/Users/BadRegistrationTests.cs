using System.Net;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Outbox;
using Users;

namespace Services.Tests;

/// <summary>Bad input is answered with a problem that says what is wrong, and leaves no trace.</summary>
public sealed class BadRegistrationTests(SqliteService<UsersDb> service) : IClassFixture<SqliteService<UsersDb>>, IAsyncLifetime
{
    private const string Good = """{"userName":"ada","email":"ada@example.com"}""";

    [Theory]
    [MemberData(nameof(BadRegistrations.Fields), MemberType = typeof(BadRegistrations))]
    public async Task Names_the_fields_that_are_wrong(string body, string[] fields)
    {
        var problem = await (await service.Client.PostText("/users", body)).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

        problem.Fields().ShouldBe(fields);
    }

    [Theory]
    [MemberData(nameof(BadRegistrations.Malformed), MemberType = typeof(BadRegistrations))]
    public async Task Refuses_what_is_no_json_object(string body)
    {
        var problem = await (await service.Client.PostText("/users", body)).ShouldBeProblem(HttpStatusCode.BadRequest, "malformed-request");

        problem["detail"]!.GetValue<string>().ShouldContain("JSON");
    }

    [Fact]
    public async Task Says_where_the_text_stops_being_json()
    {
        var problem = await (await service.Client.PostText("/users", "{\n \"userName\": oops}"))
            .ShouldBeProblem(HttpStatusCode.BadRequest, "malformed-request");

        problem["detail"]!.GetValue<string>().ShouldContain("line 2");
    }

    [Theory]
    [MemberData(nameof(BadRegistrations.MediaTypes), MemberType = typeof(BadRegistrations))]
    public async Task Refuses_other_media_types(string? contentType) =>
        await (await service.Client.PostText("/users", Good, contentType))
            .ShouldBeProblem(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");

    [Theory]
    [InlineData("gzip")]
    [InlineData("identity, br")]
    public async Task Refuses_compressed_bodies(string coding)
    {
        using var content = new StringContent(Good, Encoding.UTF8, "application/json");
        content.Headers.TryAddWithoutValidation("Content-Encoding", coding);

        await (await service.Client.PostAsync("/users", content)).ShouldBeProblem(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");
    }

    [Fact]
    public async Task Refuses_two_keys()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/users") { Content = new StringContent(Good, Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", ["one", "two"]);

        var problem = await (await service.Client.SendAsync(request)).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

        problem.Fields().ShouldBe(["Idempotency-Key"]);
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("ключ")]
    [InlineData(256)]
    public async Task Refuses_keys_that_cannot_be_kept(object key)
    {
        var text = key is int length ? new string('k', length) : (string)key;

        var problem = await (await service.Client.PostText("/users", Good, idempotencyKey: text))
            .ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

        problem.Fields().ShouldBe(["Idempotency-Key"]);
    }

    [Theory]
    [InlineData("DELETE", "/users")]
    [InlineData("PUT", "/users")]
    [InlineData("POST", "/users/00000000-0000-0000-0000-000000000001")]
    public async Task Says_which_methods_there_are(string method, string path)
    {
        var response = await service.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));

        await response.ShouldBeProblem(HttpStatusCode.MethodNotAllowed, "method-not-allowed");
        response.Content.Headers.Allow.ShouldContain("GET", StringComparer.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/nothing")]
    [InlineData("/users/5")]
    [InlineData("/users/00000000-0000-0000-0000-000000000001/nothing")]
    public async Task Says_that_there_is_nothing(string path) =>
        await (await service.Client.GetAsync(path)).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");

    [Fact]
    public async Task Answers_problems_whatever_the_client_accepts()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/nothing");
        request.Headers.Add("Accept", "text/html");

        await (await service.Client.SendAsync(request)).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        (await service.App.InDb(db => db.Users.CountAsync())).ShouldBe(0);
        (await service.App.InDb(db => db.StoredAnswers.CountAsync())).ShouldBe(0);
        (await service.App.InDb(db => db.Set<OutboxMessage>().CountAsync())).ShouldBe(0);
    }
}
