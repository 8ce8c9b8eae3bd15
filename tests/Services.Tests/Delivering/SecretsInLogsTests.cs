using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>Whatever the notifier logs, at any level: no key, no secret, no header that a receiver wants to be sent along.</summary>
public sealed class SecretsInLogsTests
{
    [Fact]
    public async Task No_secret_is_ever_logged()
    {
        const string header = "Bearer of-the-receivers-own";
        using var logs = new RecordedLogs();
        await using var server = await HookServer.Start((_, http) =>
        {
            http.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        await using var database = TestDatabase.Sqlite();
        await using var notifier = new Notifier(
            database, new(StringComparer.Ordinal) { ["Logging:LogLevel:Default"] = "Trace", ["Logging:LogLevel:Microsoft.AspNetCore"] = "Trace" },
            configure: services => services.AddSingleton<ILoggerProvider>(logs));
        using var client = notifier.App.CreateClient().As(Keys.Receiver);

        var shopKey = await client.CreateReceiver("shop");
        var endpoint = await client.PostJson(
            "/v1/endpoints",
            $$$"""{"url":"{{{server.Url}}}?token=of-the-url","eventTypes":["topup.succeeded"],"headers":{"Authorization":"{{{header}}}"},"schedule":"demo"}""",
            HttpStatusCode.Created);
        var rotated = await client.PostJson($"/v1/endpoints/{endpoint["id"]}/rotate-secret", "{}", HttpStatusCode.OK);
        var id = await notifier.TellOne();
        await server.Requests.WaitForCount(2);
        await Eventually.Get(() => notifier.Attempts(id), attempts => attempts.Count > 0);

        server.Requests.Values[0].Headers["Authorization"].ShouldBe(header);
        logs.Lines.ShouldContain(line => line.Contains("attempt 1: Refused", StringComparison.Ordinal), "the test sees what is logged");
        string[] secrets =
        [
            header, "of-the-url", Keys.Receiver, Keys.Operator, Keys.Encryption, shopKey,
            .. new[] { endpoint, rotated }.Select(e => e["secret"]!.GetValue<string>()["whsec_".Length..]),
        ];
        foreach (var secret in secrets)
        {
            logs.Lines.Where(line => line.Contains(secret, StringComparison.Ordinal)).ShouldBeEmpty();
        }
    }
}
