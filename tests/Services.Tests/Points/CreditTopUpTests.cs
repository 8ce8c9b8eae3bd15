using Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using Points;

namespace Services.Tests;

public sealed class CreditTopUpTests : ServiceTests<PointsDb>
{
    private static readonly DateTime Then = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    private readonly TopUpSucceeded topUp = new(NewId.NextGuid(), NewId.NextGuid(), 500, Then);

    [Fact]
    public async Task Credits_what_was_paid_and_tells_of_it()
    {
        await App.Publish(topUp, NewId.NextGuid());
        await Handled(1);

        (await Client.GetJson($"/accounts/{topUp.UserId}"))["balance"]!.GetValue<long>().ShouldBe(500);
        var entry = (await Client.GetJson($"/accounts/{topUp.UserId}/entries"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        entry["amount"]!.GetValue<long>().ShouldBe(500);
        entry["reason"]!.GetValue<string>().ShouldBe("top-up");
        entry["businessKey"]!.GetValue<string>().ShouldBe($"top-up:{topUp.TopUpId}");

        var told = (await Told()).ShouldHaveSingleItem();
        told.MessageType.ShouldContain(nameof(PointsCredited));
        told.PartitionKey.ShouldBe(topUp.UserId.ToString());
    }

    [Fact]
    public async Task Credits_a_top_up_once_however_often_it_is_told_and_under_however_many_ids()
    {
        var messageId = NewId.NextGuid();
        await App.Publish(topUp, messageId);
        await App.Publish(topUp, messageId);
        await App.Publish(topUp, NewId.NextGuid());
        await App.Publish(topUp with { SucceededAt = Then.AddDays(1) }, NewId.NextGuid());
        await Handled(4);

        (await App.InDb(db => db.Entries.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Accounts.SingleAsync())).Balance.ShouldBe(500);
        (await Told()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Adds_to_what_is_there()
    {
        await App.Publish(new UserRegistered(topUp.UserId, "ada", "ada@example.com", Then), NewId.NextGuid());
        await App.Publish(topUp, NewId.NextGuid());
        await App.Publish(topUp with { TopUpId = NewId.NextGuid() }, NewId.NextGuid());
        await Handled(3);

        (await App.InDb(db => db.Accounts.SingleAsync())).Balance.ShouldBe(1100);
        (await Told()).Count.ShouldBe(3);
    }

    private async Task Handled(int messages) =>
        (await App.Received.WaitForCount(messages)).ShouldAllBe(message => message.Fault == null);

    private Task<List<OutboxMessage>> Told() => App.InDb(db => db.Set<OutboxMessage>().ToListAsync());
}
