using System.Net;
using System.Text.Json.Nodes;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Notifications.Delivering;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>What a receiver wants again, and what it missed.</summary>
public abstract class ResendTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? database;
    private ServiceApp<NotificationsDb>? app;
    private HttpClient? client;

    private ServiceApp<NotificationsDb> App => app!;

    private HttpClient Client => client!;

    [SkippableTheory]
    [InlineData(DeliveryState.Delivered)]
    [InlineData(DeliveryState.Exhausted)]
    [InlineData(DeliveryState.Delivering)]
    public async Task A_resend_begins_the_schedule_anew_under_the_next_number(DeliveryState state)
    {
        var id = await App.StoreNotification("key", "points.credited", [state]);
        await App.InDb(db => db.Deliveries.ExecuteUpdateAsync(set => set.SetProperty(d => d.Attempt, 4).SetProperty(d => d.Step, 3)));

        await Client.PostJson($"/v1/notifications/{id}/resend", "{}", HttpStatusCode.Accepted);

        var delivery = await App.InDb(db => db.Deliveries.SingleAsync());
        (delivery.Attempt, delivery.Step, delivery.LeaseUntil).ShouldBe((5, 0, null));
        delivery.State.ShouldBe(DeliveryState.Held);   // its endpoint is paused
    }

    [SkippableFact]
    public async Task Resent_twice_at_once_it_is_one_chain()
    {
        var id = await App.StoreNotification("key", "points.credited", [DeliveryState.Delivered]);

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Client.PostJson($"/v1/notifications/{id}/resend", "{}", HttpStatusCode.Accepted)));

        (await App.InDb(db => db.Deliveries.SingleAsync())).Attempt.ShouldBe(6);
    }

    [SkippableFact]
    public async Task What_cannot_be_resent_is_refused()
    {
        var acknowledged = await App.StoreNotification("a", "points.credited", [DeliveryState.Acknowledged]);
        var nowhere = await App.StoreNotification("b", "points.credited", []);
        var forgotten = await App.StoreNotification("c", "points.credited", [DeliveryState.Exhausted]);
        await App.InDb(db => db.Events.Where(e => e.BusinessKey == "c").ExecuteUpdateAsync(set => set.SetProperty(e => e.Body, (byte[]?)null)));

        await Refused(acknowledged, HttpStatusCode.Conflict, "already-acknowledged");
        await Refused(nowhere, HttpStatusCode.Conflict, "no-endpoint");
        await Refused(forgotten, HttpStatusCode.Conflict, "payload-expired");
        await Refused(NewId.NextGuid(), HttpStatusCode.NotFound, "not-found");
    }

    [SkippableFact]
    public async Task An_acknowledgement_and_a_resend_at_once_leave_no_attempt_to_come()
    {
        for (var i = 0; i < 10; i++)
        {
            var id = await App.StoreNotification($"key{i}", "points.credited", [DeliveryState.Delivered]);
            await Task.WhenAll(
                Client.SendJson(HttpMethod.Post, $"/v1/notifications/{id}/resend", "{}"),
                Client.SendJson(HttpMethod.Post, $"/v1/notifications/{id}/ack", "{}"));
        }

        (await App.InDb(db => db.Deliveries.CountAsync(d => d.State != DeliveryState.Acknowledged))).ShouldBe(0);
    }

    [SkippableFact]
    public async Task A_failed_recovery_begins_what_was_exhausted()
    {
        var endpoint = await Paused();
        for (var i = 0; i < 250; i++)
        {
            await Store(endpoint, i, i % 5 == 0 ? DeliveryState.Exhausted : DeliveryState.Delivered);
        }

        var job = await Recover(endpoint, "failed", since: 50);

        job["recovered"]!.GetValue<int>().ShouldBe(40);
        (await App.InDb(db => db.Deliveries.CountAsync(d => d.State == DeliveryState.Held && d.Attempt == 2 && d.Step == 0))).ShouldBe(40);
        (await App.InDb(db => db.Deliveries.CountAsync(d => d.State == DeliveryState.Exhausted))).ShouldBe(10);
    }

    [SkippableFact]
    public async Task A_missing_recovery_begins_what_the_endpoint_never_had()
    {
        var endpoint = await Paused();
        for (var i = 0; i < 6; i++)
        {
            await Store(endpoint, i, i < 2 ? DeliveryState.Exhausted : null);
        }

        await Client.PostJson($"/v1/notifications/{await Store(endpoint, 6, null)}/ack", "{}", HttpStatusCode.OK);
        await App.StoreNotification("other", "endpoint.test", []);

        (await Recover(endpoint, "missing", since: 0))["recovered"]!.GetValue<int>().ShouldBe(4);
        (await App.InDb(db => db.Deliveries.CountAsync())).ShouldBe(6);
        (await Recover(endpoint, "missing", since: 0))["recovered"]!.GetValue<int>().ShouldBe(0);
    }

    /// <summary>Its message was lost, or given up to the error queue: the endpoint could never be recovered again.</summary>
    [SkippableFact]
    public async Task A_job_that_stands_still_is_resumed_once_and_comes_to_its_end()
    {
        var endpoint = await Paused();
        for (var i = 0; i < 3; i++)
        {
            await Store(endpoint, i, DeliveryState.Exhausted);
        }

        var (id, now) = (NewId.NextGuid(), TimeProvider.System.GetUtcNow().UtcDateTime);
        await App.InDb(async db =>
        {
            var receiverId = await db.Endpoints.Select(e => e.ReceiverId).SingleAsync();
            db.Jobs.Add(new Job { Id = id, EndpointId = endpoint, ReceiverId = receiverId, Until = now, Part = 4, ProgressAt = now });
            return await db.SaveChangesAsync();
        });
        (await Sweep()).Resumed.ShouldBe(0, "it may be under way");
        await (await Client.SendJson(HttpMethod.Post, $"/v1/endpoints/{endpoint}/recover", """{"since":"2026-01-01T00:00:00Z","scope":"failed"}"""))
            .ShouldBeProblem(HttpStatusCode.Conflict, "job-running");

        await App.InDb(db => db.Jobs.ExecuteUpdateAsync(set => set.SetProperty(j => j.ProgressAt, now.AddMinutes(-6))));
        (await Task.WhenAll(Sweep(), Sweep())).Sum(sweep => sweep.Resumed).ShouldBeLessThanOrEqualTo(1, "the service's own sweeper may have been faster");

        (await Ended(id.ToString()))["recovered"]!.GetValue<int>().ShouldBe(3);
        await Recover(endpoint, "failed", since: 0);
    }

    /// <summary>A job that was resumed while its message was only late: two messages for one part.</summary>
    [SkippableFact]
    public async Task Of_two_messages_for_a_part_of_a_job_one_does_it()
    {
        var endpoint = await Paused();
        for (var i = 0; i < 150; i++)
        {
            await Store(endpoint, i, null);
        }

        var id = NewId.NextGuid();
        await App.InDb(async db =>
        {
            var receiverId = await db.Endpoints.Select(e => e.ReceiverId).SingleAsync();
            db.Jobs.Add(new Job
            {
                Id = id, EndpointId = endpoint, ReceiverId = receiverId, Scope = JobScope.Missing, Until = DateTime.UnixEpoch.AddDays(1),
                ProgressAt = TimeProvider.System.GetUtcNow().UtcDateTime,
            });
            return await db.SaveChangesAsync();
        });
        var sender = await App.Services.GetRequiredService<IBus>().GetSendEndpoint(ContinueJob.Address);
        var before = App.Received.Count;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => sender.Send(new ContinueJob(id, 0))));

        (await Ended(id.ToString()))["recovered"]!.GetValue<int>().ShouldBe(150);
        await App.Received.WaitForCount(before + 5);
        App.Received.Values.Skip(before).ShouldAllBe(message => message.Fault == null);
        (await App.InDb(db => db.Jobs.SingleAsync())).Part.ShouldBe(2);
    }

    [SkippableTheory]
    [InlineData("""{"scope":"failed"}""", "since")]
    [InlineData("""{"since":"2026-01-01T00:00:00Z"}""", "scope")]
    [InlineData("""{"since":"2026-01-01T00:00:00Z","scope":"0"}""", "scope")]
    [InlineData("""{"since":"2026-01-01T00:00:00Z","until":"2026-01-01T00:00:00Z","scope":"failed"}""", "until")]
    [InlineData("""{"since":"yesterday","scope":"failed"}""", "since")]
    public async Task A_recovery_that_makes_no_sense_is_refused(string body, string field)
    {
        var answer = await Client.SendJson(HttpMethod.Post, $"/v1/endpoints/{await Paused()}/recover", body);

        (await answer.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe([field]);
    }

    [SkippableFact]
    public async Task Anothers_job_is_not_there()
    {
        var endpoint = await Paused();
        var job = await Recover(endpoint, "failed", since: 0);
        Client.As(await Client.CreateReceiver("other"));

        await (await Client.GetAsync($"/v1/jobs/{job["id"]}")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<NotificationsDb>(database);
        client = app.CreateClient().As(Keys.Receiver);
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private async Task Refused(Guid id, HttpStatusCode status, string type) =>
        await (await Client.SendJson(HttpMethod.Post, $"/v1/notifications/{id}/resend", "{}")).ShouldBeProblem(status, type);

    private async Task<Guid> Paused()
    {
        var id = await Client.CreateEndpoint();
        await Client.PostJson($"/v1/endpoints/{id}/pause", "{}", HttpStatusCode.OK);
        return Guid.Parse(id);
    }

    private async Task<Guid> Store(Guid endpointId, int number, DeliveryState? state)
    {
        var id = await App.StoreNotification($"key{number}", "points.credited", []);
        if (state is { } known)
        {
            await App.InDb(async db =>
            {
                db.Deliveries.Add(new Delivery { Id = NewId.NextGuid(), NotificationId = id, EndpointId = endpointId, State = known });
                return await db.SaveChangesAsync();
            });
        }

        return id;
    }

    // Notifications are stored a second apart, from 1970 on.
    private async Task<JsonNode> Recover(Guid endpointId, string scope, int since)
    {
        var begun = await Client.PostJson(
            $"/v1/endpoints/{endpointId}/recover",
            $$"""{"since":"{{DateTime.UnixEpoch.AddSeconds(since):O}}","scope":"{{scope}}"}""",
            HttpStatusCode.Accepted);
        return await Ended(begun["id"]!.GetValue<string>());
    }

    private Task<JsonNode> Ended(string job) =>
        Eventually.Get(() => Client.GetJson($"/v1/jobs/{job}"), found => found["status"]!.GetValue<string>() == "done");

    private async Task<Sweep> Sweep()
    {
        await using var scope = App.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<Sweeper>().RunOnce(CancellationToken.None);
    }
}

public sealed class ResendOnSqliteTests() : ResendTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class ResendOnPostgresTests() : ResendTests(TestDatabase.PostgresAsync);

public sealed class ResendOnSqlServerTests() : ResendTests(TestDatabase.SqlServerAsync);
