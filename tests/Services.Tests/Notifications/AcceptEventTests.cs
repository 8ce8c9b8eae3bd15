using System.Net;
using System.Net.Http.Headers;
using Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications;
using Outbox;

namespace Services.Tests;

public sealed class AcceptEventTests : ServiceTests<NotificationsDb>
{
    private readonly PointsCredited credited;

    public AcceptEventTests()
    {
        var userId = NewId.NextGuid();
        credited = new PointsCredited(
            NewId.NextGuid(), userId, 100, 250, "welcome", $"welcome:{userId}", new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Keys.Receiver);
    }

    [Fact]
    public async Task Notifies_the_receiver()
    {
        await Tell(NewId.NextGuid());

        var listed = (await Client.GetJson("/v1/notifications"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        listed.AsObject().Select(f => f.Key).ShouldBe(["id", "type", "businessKey", "data", "occurredAt", "createdAt", "status", "acknowledgedAt"]);
        listed["type"]!.GetValue<string>().ShouldBe("points.credited");
        listed["businessKey"]!.GetValue<string>().ShouldBe(credited.BusinessKey);
        listed["occurredAt"]!.GetValue<string>().ShouldBe("2026-01-02T03:04:05Z");
        listed["data"]!.ToJsonString().ShouldBe(
            $$"""{"entryId":"{{credited.EntryId}}","userId":"{{credited.UserId}}","amount":100,"balance":250,"reason":"welcome"}""");
        (await Client.GetJson($"/v1/notifications/{listed["id"]}")).ToJsonString().ShouldBe(listed.ToJsonString());
    }

    [Fact]
    public async Task Notifies_once_when_the_message_comes_again()
    {
        var messageId = NewId.NextGuid();
        await Tell(messageId, messageId, messageId);

        await NotifiedOnce();
    }

    [Fact]
    public async Task Notifies_once_when_another_message_tells_the_same()
    {
        await Tell(NewId.NextGuid(), NewId.NextGuid(), NewId.NextGuid());

        await NotifiedOnce();
    }

    [Fact]
    public async Task Shows_a_receiver_only_its_own()
    {
        const string otherKey = "rk_test_another_receiver_0123456789abcdef";
        await App.InDb(async db =>
        {
            db.Receivers.Add(new Receiver { Id = NewId.NextGuid(), Name = "other", ApiKeyHash = ApiKey.Hash(otherKey) });
            return await db.SaveChangesAsync();
        });
        await Tell(NewId.NextGuid());
        var mine = (await Client.GetJson("/v1/notifications"))["items"]!.AsArray().ShouldHaveSingleItem()!["id"]!.ToString();

        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", otherKey);
        var theirs = (await Client.GetJson("/v1/notifications"))["items"]!.AsArray().ShouldHaveSingleItem()!["id"]!.ToString();

        theirs.ShouldNotBe(mine, StringComparer.Ordinal);
        await (await Client.GetAsync($"/v1/notifications/{mine}")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task Is_read_page_by_page()
    {
        for (var i = 0; i < 5; i++)
        {
            await App.Publish(credited with { BusinessKey = $"key{i}" }, NewId.NextGuid());
        }

        await App.Received.WaitForCount(5);
        await App.Numbered();

        var keys = await Client.ReadAll("/v1/notifications", 2, "businessKey");
        keys.Order(StringComparer.Ordinal).ShouldBe(["key0", "key1", "key2", "key3", "key4"]);
        await (await Client.GetAsync("/v1/notifications?after=nonsense")).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");
    }

    private async Task Tell(params Guid[] messageIds)
    {
        foreach (var messageId in messageIds)
        {
            await App.Publish(credited, messageId);
        }

        (await App.Received.WaitForCount(messageIds.Length)).ShouldAllBe(message => message.Fault == null);
        await App.Numbered();
    }

    private async Task NotifiedOnce()
    {
        (await App.InDb(db => db.Events.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Notifications.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Set<OutboxMessage>().CountAsync())).ShouldBe(0);   // no failure, waiting to be tried again
    }
}
