using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassTransit;
using Outbox.Testing;
using RabbitMQ.Client;

namespace Chaos.Tests;

/// <summary>
/// A notifier that is killed at every point of an attempt: the next attempt is made, under the same <c>webhook-id</c>, and
/// nothing that was recorded as delivered is sent again.
/// </summary>
public class KillingTheNotifierTests(ITestOutputHelper output)
{
    private const string Call = "call";
    private static readonly string Key = new('k', 40);

    // What dies before the call is told once; what dies between the call and the record of it is told again. An attempt is taken by a
    // statement of its own when it is not the first: there the receiver has failed once.
    private static readonly (string Point, int Told)[] Points =
    [
        ("before-acceptance", 1), ("after-acceptance", 1), ("accepted", 1), ("before-take", 2), ("after-take", 2), (Call, 2), ("before-outcome", 2), ("after-outcome", 2), ("after-record", 1),
    ];

    [SkippableFact]
    public async Task At_whichever_point_of_an_attempt_it_is_killed_the_receiver_is_told_and_nothing_delivered_is_sent_again()
    {
        var postgres = await Require.PostgresAsync();
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        await using var merchant = new Merchant();
        var trap = new CrashPoint(Path.Combine(Directory.CreateTempSubdirectory("crash-points").FullName, "notifier"));
        await using var notifier = new ServiceReplica(
            "Notifications.Worker", "Notifications.Worker", ("ASPNETCORE_URLS", "http://127.0.0.1:{0}"),
            Environment(await postgres.CreateDatabaseAsync(), broker, trap));
        await StartAsync(notifier);
        using var http = new HttpClient { BaseAddress = notifier.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        using (var made = await http.PostAsJsonAsync("/v1/endpoints", new { url = merchant.Url, eventTypes = new[] { "topup.succeeded" }, schedule = "demo" }))
            made.IsSuccessStatusCode.ShouldBeTrue(await made.Content.ReadAsStringAsync());

        var told = new Dictionary<Guid, int>();
        foreach (var (point, expected) in Points)
        {
            var key = await KillAsync(point, notifier, merchant, trap, broker);
            await StartAsync(notifier);
            var notification = await DeliveredAsync(http, key);
            told[notification] = expected;
            output.WriteLine($"killed at {point}: told {merchant.Told.Values.Count(id => id == notification)} times, then delivered");
        }

        // Once more, so that whatever is left in the queue or overdue has its chance to be sent again.
        await notifier.KillAsync();
        await StartAsync(notifier);
        await Eventually.Get(broker.QueuesAsync, queues => queues.All(queue => queue.Messages == 0), Eventually.Limit * 2);
        await DeliveredAsync(http, await TellAsync(broker));

        foreach (var (notification, expected) in told)
            merchant.Told.Values.Count(id => id == notification).ShouldBe(expected);
        merchant.Told.Values.Distinct().Count().ShouldBe(told.Count + 1);
    }

    private static async Task<string> KillAsync(string point, ServiceReplica notifier, Merchant merchant, CrashPoint trap, RabbitMqVirtualHost broker)
    {
        var (before, isCall) = (merchant.Told.Count, point == Call);
        merchant.Hangs = isCall;
        merchant.Failures = point.EndsWith("-take", StringComparison.Ordinal) ? 1 : 0;
        if (!isCall)
            trap.KillAt(point);
        var key = await TellAsync(broker);
        if (isCall)
        {
            await merchant.Told.WaitForCount(before + 1);
            merchant.Hangs = false;
            await notifier.KillAsync();
        }

        await Eventually.Get(() => notifier.IsRunning, running => !running, Eventually.Limit * 2);
        return key;
    }

    private static async Task StartAsync(ServiceReplica notifier)
    {
        notifier.Start();
        await notifier.WaitUntilReadyAsync();
    }

    /// <summary>Publishes as another service would.</summary>
    private static async Task<string> TellAsync(RabbitMqVirtualHost broker)
    {
        var topUp = NewId.NextGuid();
        var envelope = new
        {
            messageId = NewId.NextGuid(),
            messageType = new[] { "urn:message:Contracts:TopUpSucceeded" },
            message = new { topUpId = topUp, userId = NewId.NextGuid(), amount = 500, succeededAt = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc) },
        };
        await Eventually.Holds(async () =>
        {
            await using var connection = await broker.ConnectAsync();
            await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(
                publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
            await channel.BasicPublishAsync(
                "Contracts:TopUpSucceeded", "", mandatory: true,
                new BasicProperties { Persistent = true, ContentType = "application/vnd.masstransit+json", MessageId = envelope.messageId.ToString() },
                JsonSerializer.SerializeToUtf8Bytes(envelope));
        });
        return topUp.ToString();
    }

    /// <returns>The notification's id.</returns>
    private static async Task<Guid> DeliveredAsync(HttpClient http, string key)
    {
        var found = await Eventually.Get(
            async () =>
            {
                using var answer = await http.GetAsync(new Uri($"/v1/notifications/by-key/topup.succeeded/{key}", UriKind.Relative));
                return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<JsonNode>() : null;
            },
            notification => notification?["status"]?.GetValue<string>() == "delivered",
            Eventually.Limit * 2);
        return found!["id"]!.GetValue<Guid>();
    }

    private static Dictionary<string, string?> Environment(string database, RabbitMqVirtualHost broker, CrashPoint trap) => new(trap.Environment, StringComparer.Ordinal)
    {
        ["Database__Provider"] = "Postgres",
        ["ConnectionStrings__Notifications"] = database,
        ["ConnectionStrings__RabbitMq"] = broker.Address.AbsoluteUri,
        ["Receivers__Default__ApiKey"] = Key,
        ["Operator__ApiKey"] = new string('o', 40),
        ["Encryption__Key"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        ["Delivery__AllowedNetworks"] = "127.0.0.0/8",
        ["Delivery__AllowedPorts"] = "1-65535",
        ["Delivery__Timeout"] = "00:00:10",
        ["Delivery__Lease"] = "00:00:12",
        ["Delivery__SweepPeriod"] = "00:00:01",
        ["Delivery__OverdueAfter"] = "00:00:05",
    };
}
