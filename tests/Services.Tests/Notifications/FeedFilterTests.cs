using System.Net;
using System.Net.Http.Headers;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications;

namespace Services.Tests;

/// <summary>What a receiver may ask of its feed, and how it is refused.</summary>
public sealed class FeedFilterTests : ServiceTests<NotificationsDb>
{
    public FeedFilterTests() => Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Keys.Receiver);

    [Theory]
    [InlineData("", "k0 k1 k2 k3 k4 k5")]
    [InlineData("type=topup.succeeded", "k1 k3 k5")]
    [InlineData("type=nothing", "")]
    [InlineData("status=held", "k0")]
    [InlineData("status=pending", "k1")]
    [InlineData("status=exhausted", "k2 k3")]
    [InlineData("status=delivered", "k4")]
    [InlineData("status=acknowledged", "k5")]
    [InlineData("acknowledged=true", "k5")]
    [InlineData("acknowledged=false&type=topup.succeeded", "k1 k3")]
    [InlineData("limit=2", "k0 k1")]
    public async Task It_is_filtered(string query, string expected)
    {
        await Store(0);
        await Store(1, DeliveryState.Pending, DeliveryState.Delivered);
        await Store(2, DeliveryState.Exhausted);
        await Store(3, DeliveryState.Delivered, DeliveryState.Exhausted);
        await Store(4, DeliveryState.Delivered);
        await Store(5, DeliveryState.Acknowledged);
        await App.Numbered();

        var page = await Client.GetJson($"/v1/notifications?{query}");

        string.Join(' ', page["items"]!.AsArray().Select(item => item!["businessKey"])).ShouldBe(expected);
        page["next"]!.GetValue<string>().ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("status=Held", "status")]
    [InlineData("status=2", "status")]
    [InlineData("acknowledged=yes", "acknowledged")]
    [InlineData("limit=251", "limit")]
    [InlineData("limit=0", "limit")]
    [InlineData("wait=21", "wait")]
    [InlineData("wait=-1", "wait")]
    [InlineData("after=nonsense", "after")]
    [InlineData("type=points%00credited", "type")]
    public async Task What_it_cannot_be_asked_is_named(string query, string field) =>
        (await (await Client.GetAsync($"/v1/notifications?{query}")).ShouldBeProblem(HttpStatusCode.BadRequest, "validation"))
            .Fields().ShouldBe([field]);

    /// <summary>Few in a state are found by their deliveries, many by going through the feed.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(FeedReader.Few + 1)]
    public async Task The_state_is_found_however_many_there_are_in_it(int count)
    {
        await App.StoreNotification("other", "topup.succeeded", [DeliveryState.Delivered]);
        await App.StoreNotifications(count, DeliveryState.Exhausted);
        await App.Numbered();

        var page = await Client.GetJson("/v1/notifications?status=exhausted&limit=250");

        page["items"]!.AsArray().Count.ShouldBe(Math.Min(count, 250));
        page["items"]!.AsArray().ShouldAllBe(item => item!["status"]!.GetValue<string>() == "exhausted");
    }

    /// <summary>What a deleted endpoint did not take, nobody waits for any more.</summary>
    [Theory]
    [InlineData(DeliveryState.Pending, null, "held")]
    [InlineData(DeliveryState.Delivering, null, "held")]
    [InlineData(DeliveryState.Exhausted, null, "held")]
    [InlineData(DeliveryState.Delivered, null, "delivered")]
    [InlineData(DeliveryState.Pending, DeliveryState.Delivered, "delivered")]
    [InlineData(DeliveryState.Held, DeliveryState.Exhausted, "exhausted")]
    [InlineData(DeliveryState.Delivered, DeliveryState.Pending, "pending")]
    public async Task Of_a_deleted_endpoint_only_what_it_took_counts(DeliveryState deleted, DeliveryState? other, string expected)
    {
        await Store(0, deleted);
        await App.InDb(db => db.Endpoints.ExecuteUpdateAsync(set => set.SetProperty(e => e.State, EndpointState.Deleted)));
        if (other is { } state)
        {
            await App.InDb(async db =>
            {
                var receiverId = await db.Receivers.Select(r => r.Id).SingleAsync();
                var endpoint = db.Endpoints.Add(Rows.NewEndpoint(receiverId)).Entity;
                db.Deliveries.Add(new Delivery { Id = NewId.NextGuid(), NotificationId = await db.Notifications.Select(n => n.Id).SingleAsync(), EndpointId = endpoint.Id, State = state });
                return await db.SaveChangesAsync();
            });
        }

        await App.Numbered();

        (await Client.GetJson("/v1/notifications/by-key/points.credited/k0"))["status"]!.GetValue<string>().ShouldBe(expected);
        foreach (var name in Enum.GetNames<DeliveryState>().Select(name => name.ToLowerInvariant()))
        {
            (await Client.GetJson($"/v1/notifications?status={name}"))["items"]!.AsArray().Count.ShouldBe(name == expected ? 1 : 0, name);
        }
    }

    /// <summary>However many deliveries of a deleted endpoint are in that state, they lead nobody through the whole feed.</summary>
    [Fact]
    public async Task Deleted_endpoints_are_no_candidates()
    {
        await App.StoreNotifications(3, DeliveryState.Exhausted);
        await App.InDb(db => db.Endpoints.ExecuteUpdateAsync(set => set.SetProperty(e => e.State, EndpointState.Deleted)));
        await App.StoreNotifications(2, DeliveryState.Exhausted);

        (await App.InDb(db => db.Counted().CountAsync(d => d.State == DeliveryState.Exhausted))).ShouldBe(2);
    }

    [Fact]
    public async Task A_notification_is_found_by_its_key()
    {
        await Store(0);

        var found = await Client.GetJson("/v1/notifications/by-key/points.credited/k0");

        found["businessKey"]!.GetValue<string>().ShouldBe("k0");
        (await Client.GetJson($"/v1/notifications/{found["id"]}")).ToJsonString().ShouldBe(found.ToJsonString());
        await (await Client.GetAsync("/v1/notifications/by-key/topup.succeeded/k0")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await (await Client.GetAsync("/v1/notifications/by-key/points.credited/k1")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task Its_attempts_are_told_in_their_order()
    {
        var id = await Store(0, DeliveryState.Exhausted);
        await App.InDb(async db =>
        {
            var delivery = await db.Deliveries.SingleAsync();
            var at = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
            db.Attempts.Add(new DeliveryAttempt { DeliveryId = delivery.Id, Number = 2, StartedAt = at.AddSeconds(5), Outcome = AttemptOutcome.TimedOut, Error = "no answer" });
            db.Attempts.Add(new DeliveryAttempt { DeliveryId = delivery.Id, Number = 1, StartedAt = at, Outcome = AttemptOutcome.Refused, StatusCode = 500, Answer = "no" });
            return await db.SaveChangesAsync();
        });

        var answer = await Client.GetJson($"/v1/notifications/{id}/attempts");

        answer["deliveries"]!.AsArray().ShouldHaveSingleItem()!["status"]!.GetValue<string>().ShouldBe("exhausted");
        string.Join(' ', answer["items"]!.AsArray().Select(a => $"{a!["number"]}:{a["outcome"]}:{a["statusCode"]}")).ShouldBe("1:refused:500 2:timedOut:");
        await (await Client.GetAsync($"/v1/notifications/{NewId.NextGuid()}/attempts")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    private Task<Guid> Store(int number, params DeliveryState[] deliveries) => App.StoreNotification(
        $"k{number}", number % 2 == 0 ? "points.credited" : "topup.succeeded", deliveries);
}
