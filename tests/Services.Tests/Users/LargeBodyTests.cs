using System.Net;
using System.Net.Http.Headers;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;
using Users;

namespace Services.Tests;

/// <summary>The limit is the server's, so it takes the real server to see it.</summary>
public sealed class LargeBodyTests : IAsyncLifetime
{
    private const int Limit = 64 * 1024;

    private readonly TestDatabase database = TestDatabase.Sqlite();
    private readonly ServiceApp<UsersDb> app;

    public LargeBodyTests()
    {
        app = new ServiceApp<UsersDb>(database);
        app.UseKestrel(0);
        app.StartServer();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Refuses_a_body_over_64_KB(bool chunked)
    {
        using var client = app.CreateClient();
        var response = await client.SendAsync(Post(Limit + 1, chunked));

        await response.ShouldBeProblem(HttpStatusCode.RequestEntityTooLarge, "body-too-large");
        (await app.InDb(db => db.Users.CountAsync())).ShouldBe(0);
    }

    [Fact]
    public async Task Takes_a_body_of_64_KB()
    {
        using var client = app.CreateClient();

        (await client.SendAsync(Post(Limit, chunked: false))).StatusCode.ShouldBe(HttpStatusCode.Created);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await app.DisposeAsync();
        await database.DisposeAsync();
    }

    private static HttpRequestMessage Post(int length, bool chunked)
    {
        const string body = """{"userName":"ada","email":"ada@example.com"}""";
        var request = new HttpRequestMessage(HttpMethod.Post, "/users") { Content = new StringContent(body.PadRight(length)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TransferEncodingChunked = chunked;
        return request;
    }
}
