using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A receiver's endpoints, as its API shows them.</summary>
public abstract class EndpointTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? database;
    private ServiceApp<NotificationsDb>? app;
    private HttpClient? client;

    private ServiceApp<NotificationsDb> App => app!;

    private HttpClient Client => client!;

    [SkippableFact]
    public async Task One_is_made_with_a_secret_that_is_shown_once_and_kept_sealed()
    {
        var response = await Client.SendJson(HttpMethod.Post, "/v1/endpoints", """
            {"url":"https://receiver.test/hook?a=b","eventTypes":["points.credited","user.registered"],"description":"shop",
             "headers":{"X-Api-Key":"very private"},"rateLimit":10,"schedule":"demo","successBody":"OK"}
            """);
        var made = await response.Json(HttpStatusCode.Created);

        var id = made["id"]!.GetValue<Guid>();
        var secret = made["secret"]!.GetValue<string>();
        secret.ShouldStartWith("whsec_");
        Convert.FromBase64String(secret["whsec_".Length..]).Length.ShouldBe(32);
        response.Headers.Location!.ToString().ShouldBe($"/v1/endpoints/{id}");

        var read = await Client.GetJson($"/v1/endpoints/{id}");
        read["secret"].ShouldBeNull();
        read["url"]!.GetValue<string>().ShouldBe("https://receiver.test/hook?a=b");
        read["eventTypes"]!.ToJsonString().ShouldBe("""["points.credited","user.registered"]""");
        read["headers"]!.ToJsonString().ShouldBe("""["X-Api-Key"]""");
        (read["description"]!.ToString(), read["rateLimit"]!.ToString(), read["schedule"]!.ToString(), read["successBody"]!.ToString(), read["status"]!.ToString())
            .ShouldBe(("shop", "10", "demo", "OK", "active"));
        (await Client.GetJson("/v1/endpoints"))["items"]!.AsArray().ShouldHaveSingleItem()!.ToJsonString().ShouldBe(read.ToJsonString());

        var row = await App.InDb(db => db.Endpoints.SingleAsync());
        Encoding.Latin1.GetString(row.Headers!).ShouldNotContain("very private");
        var box = App.Services.GetRequiredService<SecretBox>();
        WebhookSecret.Show(box.Open(id, row.Secret)).ShouldBe(secret);
        Encoding.UTF8.GetString(box.Open(id, row.Headers!)).ShouldBe("""{"X-Api-Key":"very private"}""");
    }

    [SkippableFact]
    public async Task What_is_patched_changes_and_the_rest_stays()
    {
        var id = await Client.CreateEndpoint("""
            {"url":"https://receiver.test/hook","eventTypes":["points.credited"],"description":"shop","headers":{"X-A":"1","X-B":"2"},"rateLimit":5}
            """);

        var patched = await (await Patch(id, """{"url":"https://other.test/","description":null,"headers":{"X-A":null,"X-C":"3"}}""")).Json(HttpStatusCode.OK);

        patched["url"]!.GetValue<string>().ShouldBe("https://other.test/");
        patched["description"].ShouldBeNull();
        patched["rateLimit"]!.GetValue<int>().ShouldBe(5);
        patched["headers"]!.ToJsonString().ShouldBe("""["X-B","X-C"]""");
        patched["secret"].ShouldBeNull();
    }

    [SkippableTheory]
    [InlineData("""{"Description":"shop"}""", "Description")]
    [InlineData("""{"description":"shop","nothing":null}""", "nothing")]
    [InlineData("""{"headers":{"X-A":"1","x-a":"2"}}""", "headers")]
    [InlineData("""{"headers":{"X-A":{"deep":"1"}}}""", "headers.X-A")]
    [InlineData("""{"eventTypes":[{"a":1}]}""", "eventTypes[0]")]
    [InlineData("""{"description":{"text":"shop"}}""", "description")]
    public async Task A_patch_that_is_none_changes_nothing(string patch, string field)
    {
        var id = await Client.CreateEndpoint();

        (await (await Patch(id, patch)).ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe([field]);

        (await App.InDb(db => db.Endpoints.SingleAsync())).Version.ShouldBe(1);
    }

    [SkippableTheory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("1")]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"description":"one","description":"two"}""")]
    [InlineData("""{"headers":{"X-A":"1","X-A":"2"}}""")]
    [InlineData("""{"eventTypes":[{"a":1,"a":2}]}""")]
    public async Task A_patch_that_is_no_object_or_says_something_twice_is_not_understood(string patch)
    {
        var id = await Client.CreateEndpoint();

        await (await Patch(id, patch)).ShouldBeProblem(HttpStatusCode.BadRequest, "malformed-request");
    }

    /// <summary>As after an operator's mistake with the keys. The endpoint is shown, patched, and given headers anew.</summary>
    [SkippableFact]
    public async Task Headers_that_cannot_be_opened_keep_nobody_from_his_endpoints()
    {
        var other = await Client.CreateEndpoint();
        var id = await Client.CreateEndpoint("""{"url":"https://receiver.test/hook","eventTypes":["points.credited"],"headers":{"X-A":"1"}}""");
        var broken = new byte[64];
        await App.InDb(db => db.Endpoints.Where(e => e.Headers != null).ExecuteUpdateAsync(set => set.SetProperty(e => e.Headers, broken)));

        var listed = (await Client.GetJson("/v1/endpoints"))["items"]!.AsArray();
        listed.Select(item => item!["id"]!.GetValue<string>()).ShouldBe([other, id]);
        (listed[0]!["headers"]!.ToJsonString(), listed[1]!["headers"]).ShouldBe(("[]", null));
        (await Client.GetJson($"/v1/endpoints/{id}"))["headers"].ShouldBeNull();

        (await (await Patch(id, """{"description":"shop"}""")).Json(HttpStatusCode.OK))["description"]!.GetValue<string>().ShouldBe("shop");
        (await App.InDb(db => db.Endpoints.Where(e => e.Headers != null).SingleAsync())).Headers.ShouldBe(broken, "mended, the keys open it");
        (await (await Patch(id, """{"headers":{"X-B":"2"}}""")).Json(HttpStatusCode.OK))["headers"]!.ToJsonString().ShouldBe("""["X-B"]""");
    }

    [SkippableFact]
    public async Task Who_has_not_seen_the_last_change_changes_nothing()
    {
        var id = await Client.CreateEndpoint();
        var seen = (await Client.GetAsync($"/v1/endpoints/{id}")).Headers.ETag!.ToString();

        var first = await Patch(id, """{"description":"one"}""", seen);
        var second = await Patch(id, """{"description":"two"}""", seen);

        first.StatusCode.ShouldBe(HttpStatusCode.OK);
        await second.ShouldBeProblem(HttpStatusCode.PreconditionFailed, "precondition-failed");
        await (await Client.SendJson(HttpMethod.Delete, $"/v1/endpoints/{id}", ifMatch: seen)).ShouldBeProblem(HttpStatusCode.PreconditionFailed, "precondition-failed");
        await (await Client.SendJson(HttpMethod.Post, $"/v1/endpoints/{id}/pause", ifMatch: "nonsense")).ShouldBeProblem(HttpStatusCode.PreconditionFailed, "precondition-failed");
        (await Client.GetJson($"/v1/endpoints/{id}"))["description"]!.GetValue<string>().ShouldBe("one");
        (await Patch(id, """{"description":"two"}""", first.Headers.ETag!.ToString())).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Patch(id, """{"description":"three"}""", "*")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [SkippableFact]
    public async Task Of_many_who_have_seen_the_same_one_changes_it()
    {
        var id = await Client.CreateEndpoint();
        var seen = (await Client.GetAsync($"/v1/endpoints/{id}")).Headers.ETag!.ToString();

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Patch(id, $$"""{"description":"{{i}}"}""", seen)));

        answers.Count(answer => answer.StatusCode == HttpStatusCode.OK).ShouldBe(1);
        answers.Count(answer => answer.StatusCode == HttpStatusCode.PreconditionFailed).ShouldBe(7);
        (await App.InDb(db => db.Endpoints.SingleAsync())).Version.ShouldBe(2);
    }

    [SkippableFact]
    public async Task Changes_of_different_fields_at_once_all_count()
    {
        var id = await Client.CreateEndpoint();
        string[] patches = ["""{"description":"one"}""", """{"rateLimit":7}""", """{"schedule":"wechat"}"""];

        var answers = await Task.WhenAll(patches.Select(patch => Patch(id, patch)));

        answers.ShouldAllBe(answer => answer.StatusCode == HttpStatusCode.OK);
        var read = await Client.GetJson($"/v1/endpoints/{id}");
        (read["description"]!.ToString(), read["rateLimit"]!.ToString(), read["schedule"]!.ToString()).ShouldBe(("one", "7", "wechat"));
    }

    [SkippableFact]
    public async Task One_is_paused_and_resumed()
    {
        var id = await Client.CreateEndpoint();

        (await Post(id, "pause"))["status"]!.GetValue<string>().ShouldBe("paused");
        (await Post(id, "pause"))["status"]!.GetValue<string>().ShouldBe("paused");
        (await Post(id, "resume"))["status"]!.GetValue<string>().ShouldBe("active");
    }

    [SkippableFact]
    public async Task Resuming_forgets_why_it_was_disabled_and_that_it_was_throttled()
    {
        var id = await Client.CreateEndpoint();
        await App.InDb(db => db.Endpoints.ExecuteUpdateAsync(set => set
            .SetProperty(e => e.State, EndpointState.Disabled)
            .SetProperty(e => e.DisabledReason, "410 Gone")
            .SetProperty(e => e.ThrottledUntil, new DateTime(2100, 1, 1, 0, 0, 0, DateTimeKind.Utc))));
        var disabled = await Client.GetJson($"/v1/endpoints/{id}");
        (disabled["status"]!.ToString(), disabled["disabledReason"]!.ToString(), disabled["throttledUntil"]!.ToString())
            .ShouldBe(("disabled", "410 Gone", "2100-01-01T00:00:00Z"));

        var resumed = await Post(id, "resume");

        (resumed["status"]!.ToString(), resumed["disabledReason"], resumed["throttledUntil"]).ShouldBe(("active", null, null));
    }

    [SkippableTheory]
    [InlineData(null, true)]
    [InlineData("{}", true)]
    [InlineData("""{"graceSeconds":604800}""", true)]
    [InlineData("""{"graceSeconds":0}""", false)]
    public async Task A_new_secret_leaves_the_old_one_its_grace(string? body, bool keepsOld)
    {
        var made = await Client.PostJson("/v1/endpoints", NotifierClient.Hook, HttpStatusCode.Created);
        var id = made["id"]!.GetValue<Guid>();

        var rotated = await (await Client.SendJson(HttpMethod.Post, $"/v1/endpoints/{id}/rotate-secret", body)).Json(HttpStatusCode.OK);

        rotated["secret"]!.GetValue<string>().ShouldNotBe(made["secret"]!.GetValue<string>(), StringComparer.Ordinal);
        (rotated["previousSecretUntil"] is not null).ShouldBe(keepsOld);
        var row = await App.InDb(db => db.Endpoints.SingleAsync());
        var box = App.Services.GetRequiredService<SecretBox>();
        WebhookSecret.Show(box.Open(id, row.Secret)).ShouldBe(rotated["secret"]!.GetValue<string>());
        (row.PreviousSecret is { } old ? WebhookSecret.Show(box.Open(id, old)) : null).ShouldBe(keepsOld ? made["secret"]!.GetValue<string>() : null);
    }

    [SkippableTheory]
    [InlineData("-1")]
    [InlineData("604801")]
    public async Task A_grace_has_its_limits(string seconds)
    {
        var id = await Client.CreateEndpoint();
        var answer = await Client.SendJson(HttpMethod.Post, $"/v1/endpoints/{id}/rotate-secret", $$"""{"graceSeconds":{{seconds}}}""");

        (await answer.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe(["graceSeconds"]);
    }

    [SkippableFact]
    public async Task A_deleted_one_is_gone()
    {
        var id = await Client.CreateEndpoint();

        (await Client.DeleteAsync($"/v1/endpoints/{id}")).StatusCode.ShouldBe(HttpStatusCode.NoContent);

        await ShouldBeNowhere(id);
        (await Client.GetJson("/v1/endpoints"))["items"]!.AsArray().ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Anothers_is_nowhere()
    {
        var id = await Client.CreateEndpoint();
        Client.As(await Client.CreateReceiver("other"));

        await ShouldBeNowhere(id);
        (await Client.GetJson("/v1/endpoints"))["items"]!.AsArray().ShouldBeEmpty();
        (await App.InDb(db => db.Endpoints.SingleAsync())).Version.ShouldBe(1);
    }

    [SkippableFact]
    public async Task There_is_a_limit_to_how_many_there_may_be()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Client.SendJson(HttpMethod.Post, "/v1/endpoints", NotifierClient.Hook)));

        answers.Count(answer => answer.StatusCode == HttpStatusCode.Created).ShouldBe(3);
        await answers.First(answer => answer.StatusCode != HttpStatusCode.Created).ShouldBeProblem(HttpStatusCode.Conflict, "too-many-endpoints");
        (await App.InDb(db => db.Endpoints.CountAsync())).ShouldBe(3);
    }

    [SkippableFact]
    public async Task It_may_want_only_what_its_receiver_may_know()
    {
        Client.As(await Client.CreateReceiver("other", """["topup.succeeded"]"""));

        var refused = await Client.SendJson(HttpMethod.Post, "/v1/endpoints", NotifierClient.Hook);

        (await refused.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe(["eventTypes"]);
        var id = await Client.CreateEndpoint("""{"url":"https://receiver.test/","eventTypes":["topup.succeeded"]}""");
        (await (await Patch(id, """{"eventTypes":["points.credited"]}""")).ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe(["eventTypes"]);
    }

    [SkippableFact]
    public async Task A_test_is_a_notification_for_this_endpoint_alone()
    {
        var id = await Client.CreateEndpoint();
        await Client.CreateEndpoint();

        var answer = await Client.PostJson($"/v1/endpoints/{id}/test", "{}", HttpStatusCode.Accepted);

        var notification = await Client.GetJson($"/v1/notifications/{answer["notificationId"]}");
        notification["type"]!.GetValue<string>().ShouldBe("endpoint.test");
        notification["data"]!.ToJsonString().ShouldBe($$"""{"endpointId":"{{id}}"}""");
        (await App.InDb(db => db.Deliveries.SingleAsync())).EndpointId.ToString().ShouldBe(id);
        await Client.PostJson($"/v1/endpoints/{id}/pause", "{}", HttpStatusCode.OK);
        await (await Client.PostAsync($"/v1/endpoints/{id}/test", null)).ShouldBeProblem(HttpStatusCode.Conflict, "endpoint-not-active");
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<NotificationsDb>(database) { Settings = { ["Webhooks:MaxEndpoints"] = "3" } };
        client = app.CreateClient().As(Keys.Receiver);
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private Task<HttpResponseMessage> Patch(string id, string body, string? ifMatch = null) =>
        Client.SendJson(HttpMethod.Patch, $"/v1/endpoints/{id}", body, ifMatch);

    private Task<JsonNode> Post(string id, string verb) => Client.PostJson($"/v1/endpoints/{id}/{verb}", "{}", HttpStatusCode.OK);

    private async Task ShouldBeNowhere(string id)
    {
        (HttpMethod Method, string Path, string? Body)[] requests =
        [
            (HttpMethod.Get, "", null),
            (HttpMethod.Patch, "", "{}"),
            (HttpMethod.Delete, "", null),
            (HttpMethod.Post, "/pause", null),
            (HttpMethod.Post, "/resume", null),
            (HttpMethod.Post, "/rotate-secret", "{}"),
            (HttpMethod.Post, "/test", null),
            (HttpMethod.Post, "/recover", """{"since":"2026-01-01T00:00:00Z","scope":"failed"}"""),
        ];
        foreach (var (method, path, body) in requests)
        {
            await (await Client.SendJson(method, $"/v1/endpoints/{id}{path}", body)).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        }
    }
}

public sealed class EndpointsOnSqliteTests() : EndpointTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class EndpointsOnPostgresTests() : EndpointTests(TestDatabase.PostgresAsync);

public sealed class EndpointsOnSqlServerTests() : EndpointTests(TestDatabase.SqlServerAsync);
