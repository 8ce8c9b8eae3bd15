using System.Net;
using Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using Points;

namespace Services.Tests;

public sealed class CreditWelcomePointsTests : ServiceTests<PointsDb>
{
    private readonly UserRegistered registered = new(NewId.NextGuid(), "ada", "ada@example.com", new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));

    [Fact]
    public async Task Credits_a_hundred_points_and_tells_of_it()
    {
        await App.Publish(registered, NewId.NextGuid());
        await Handled(1);

        var account = await Client.GetJson($"/accounts/{registered.UserId}");
        account.AsObject().Select(field => field.Key).ShouldBe(["userId", "balance", "updatedAt"]);
        account["balance"]!.GetValue<long>().ShouldBe(100);

        var entry = (await Client.GetJson($"/accounts/{registered.UserId}/entries"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        entry["amount"]!.GetValue<long>().ShouldBe(100);
        entry["balance"]!.GetValue<long>().ShouldBe(100);
        entry["reason"]!.GetValue<string>().ShouldBe("welcome");
        entry["businessKey"]!.GetValue<string>().ShouldBe($"welcome:{registered.UserId}");

        var told = (await Told()).ShouldHaveSingleItem();
        told.MessageType.ShouldContain(nameof(PointsCredited));
        told.PartitionKey.ShouldBe(registered.UserId.ToString());
    }

    [Fact]
    public async Task Credits_once_when_the_message_comes_again()
    {
        var messageId = NewId.NextGuid();
        for (var i = 0; i < 3; i++)
        {
            await App.Publish(registered, messageId);
        }

        await Handled(3);

        await CreditedOnce();
    }

    [Fact]
    public async Task Credits_once_when_another_message_tells_the_same()
    {
        for (var i = 0; i < 3; i++)
        {
            await App.Publish(registered, NewId.NextGuid());
        }

        await Handled(3);

        await CreditedOnce();
    }

    [Fact]
    public async Task Has_no_account_before_the_first_credit()
    {
        await (await Client.GetAsync($"/accounts/{registered.UserId}")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await (await Client.GetAsync($"/accounts/{registered.UserId}/entries")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await (await Client.GetAsync("/accounts/5")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
    }

    private async Task Handled(int messages) =>
        (await App.Received.WaitForCount(messages)).ShouldAllBe(message => message.Fault == null);

    private async Task CreditedOnce()
    {
        (await App.InDb(db => db.Entries.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Accounts.SingleAsync())).Balance.ShouldBe(100);
        (await Told()).Count.ShouldBe(1);
    }

    private Task<List<OutboxMessage>> Told() => App.InDb(db => db.Set<OutboxMessage>().ToListAsync());
}
