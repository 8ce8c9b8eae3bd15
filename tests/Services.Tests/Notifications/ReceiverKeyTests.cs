using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

public sealed class ReceiverKeyTests(SqliteService<NotificationsDb> service) : IClassFixture<SqliteService<NotificationsDb>>
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer wrong")]
    [InlineData(Keys.Receiver)]
    [InlineData("Basic " + Keys.Receiver)]
    [InlineData("Bearer " + Keys.Receiver + "x")]
    public async Task Nobody_reads_without_the_key(string? authorization)
    {
        foreach (var path in new[] { "/v1/notifications", "/v1/notifications/00000000-0000-0000-0000-000000000001" })
        {
            var response = await Get(path, authorization);

            await response.ShouldBeProblem(HttpStatusCode.Unauthorized, "unauthorized");
            response.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
        }
    }

    [Theory]
    [InlineData("Bearer " + Keys.Receiver)]
    [InlineData("bearer " + Keys.Receiver)]
    public async Task Its_owner_reads(string authorization)
    {
        (await Get("/v1/notifications", authorization)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await (await Get("/v1/notifications/00000000-0000-0000-0000-000000000001", authorization))
            .ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task It_is_kept_as_a_hash_only()
    {
        var receiver = await service.App.InDb(db => db.Receivers.SingleAsync());

        receiver.Name.ShouldBe("default");
        receiver.ApiKeyHash.ShouldBe(Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Keys.Receiver))));
    }

    [Fact]
    public async Task Another_key_in_the_configuration_replaces_it()
    {
        const string newKey = "rk_test_a_new_key_0123456789abcdefghijklmn";
        await using var database = TestDatabase.Sqlite();
        await using (var before = new ServiceApp<NotificationsDb>(database))
        {
            (await Get("/v1/notifications", "Bearer " + Keys.Receiver, before)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        await using var after = new ServiceApp<NotificationsDb>(database) { Settings = { ["Receivers:Default:ApiKey"] = newKey } };

        (await Get("/v1/notifications", "Bearer " + Keys.Receiver, after)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await Get("/v1/notifications", "Bearer " + newKey, after)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private async Task<HttpResponseMessage> Get(string path, string? authorization, ServiceApp<NotificationsDb>? app = null)
    {
        using var client = (app ?? service.App).CreateClient();
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return await client.SendAsync(request);
    }
}
