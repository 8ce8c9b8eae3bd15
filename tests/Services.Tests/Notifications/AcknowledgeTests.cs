using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>What a receiver acknowledges is not attempted any more, and stays acknowledged.</summary>
public abstract class AcknowledgeTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? database;
    private ServiceApp<NotificationsDb>? app;
    private HttpClient? client;

    private ServiceApp<NotificationsDb> App => app!;

    private HttpClient Client => client!;

    [SkippableFact]
    public async Task All_its_deliveries_end()
    {
        var id = await App.StoreNotification("key", "points.credited", [.. Enum.GetValues<DeliveryState>().Except([DeliveryState.Acknowledged])]);

        var answer = await Post($"/v1/notifications/{id}/ack");

        answer["status"]!.GetValue<string>().ShouldBe("acknowledged");
        answer["acknowledgedAt"].ShouldNotBeNull();
        var deliveries = await App.InDb(db => db.Deliveries.AsNoTracking().ToListAsync());
        deliveries.ShouldAllBe(d => d.State == DeliveryState.Acknowledged && d.NextAttemptAt == null && d.LeaseUntil == null);
    }

    [SkippableFact]
    public async Task Once_more_changes_nothing()
    {
        var id = await App.StoreNotification("key", "points.credited", []);
        var first = await Post($"/v1/notifications/{id}/ack");

        (await Post($"/v1/notifications/{id}/ack")).ToJsonString().ShouldBe(first.ToJsonString());
    }

    [SkippableFact]
    public async Task Many_at_once_are_told_apart_from_what_is_not_there()
    {
        var a = await App.StoreNotification("a", "points.credited", [DeliveryState.Pending]);
        var b = await App.StoreNotification("b", "points.credited", []);
        var unknown = NewId.NextGuid();

        var answer = await Post("/v1/notifications/ack", $$"""{"ids":["{{a}}","{{unknown}}","{{b}}","{{a}}"]}""");

        answer["acknowledged"]!.AsArray().Select(id => id!.GetValue<Guid>()).ShouldBe([a, b]);
        answer["notFound"]!.AsArray().Select(id => id!.GetValue<Guid>()).ShouldBe([unknown]);
        (await App.InDb(db => db.Notifications.CountAsync(n => n.AcknowledgedAt == null))).ShouldBe(0);
    }

    [SkippableFact]
    public async Task Anothers_is_not_there()
    {
        await App.InDb(async db =>
        {
            db.Receivers.Add(new Receiver { Id = NewId.NextGuid(), Name = "other", ApiKeyHash = "x" });
            return await db.SaveChangesAsync();
        });
        var id = await App.StoreNotification("key", "points.credited", [DeliveryState.Held], "other");

        await (await Client.PostAsync($"/v1/notifications/{id}/ack", null)).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        (await Post("/v1/notifications/ack", $$"""{"ids":["{{id}}"]}"""))["notFound"]!.AsArray().Count.ShouldBe(1);
        (await App.InDb(db => db.Deliveries.SingleAsync())).State.ShouldBe(DeliveryState.Held);
    }

    [SkippableTheory]
    [InlineData("""{}""", "validation")]
    [InlineData("""{"ids":[]}""", "validation")]
    [InlineData("""{"ids":["5"]}""", "validation")]
    [InlineData("""[]""", "malformed-request")]
    public async Task A_wrong_list_is_refused(string body, string type) =>
        await (await Client.PostText("/v1/notifications/ack", body)).ShouldBeProblem(HttpStatusCode.BadRequest, type);

    [SkippableFact]
    public async Task More_than_a_hundred_are_refused() =>
        await (await Client.PostText("/v1/notifications/ack", new JsonObject
        {
            ["ids"] = new JsonArray([.. Enumerable.Range(0, 101).Select(_ => (JsonNode)NewId.NextGuid())]),
        }.ToJsonString())).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

    [SkippableFact]
    public async Task Those_who_acknowledge_the_same_at_once_all_succeed()
    {
        List<Guid> ids = [];
        for (var i = 0; i < 20; i++)
        {
            ids.Add(await App.StoreNotification($"key{i}", "points.credited", [DeliveryState.Held]));
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Post(
            "/v1/notifications/ack",
            $$"""{"ids":[{{string.Join(',', (i % 2 == 0 ? ids : ids.AsEnumerable().Reverse()).Select(id => $"\"{id}\""))}}]}""")));

        answers.ShouldAllBe(answer => answer["acknowledged"]!.AsArray().Count == 20);
        (await App.InDb(db => db.Deliveries.CountAsync(d => d.State != DeliveryState.Acknowledged))).ShouldBe(0);
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<NotificationsDb>(database);
        client = app.CreateClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Keys.Receiver);
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private async Task<JsonNode> Post(string path, string body = "{}")
    {
        var response = await Client.PostText(path, body);
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }
}

public sealed class AcknowledgeOnSqliteTests() : AcknowledgeTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class AcknowledgeOnPostgresTests() : AcknowledgeTests(TestDatabase.PostgresAsync);

public sealed class AcknowledgeOnSqlServerTests() : AcknowledgeTests(TestDatabase.SqlServerAsync);
