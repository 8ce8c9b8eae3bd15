using System.Text;
using System.Text.Json.Nodes;
using Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notifications;
using Notifications.Delivering;
using Outbox;

namespace Services.Tests;

/// <summary>An event becomes a delivery for each endpoint that wants it, in the transaction that takes it in.</summary>
public sealed class AcceptForEndpointsTests : ServiceTests<NotificationsDb>
{
    private readonly TopUpSucceeded succeeded = new(NewId.NextGuid(), NewId.NextGuid(), 500, new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));

    [Fact]
    public async Task Each_endpoint_that_wants_it_gets_a_delivery()
    {
        var endpoint = await AddEndpoint("topup.succeeded,points.credited");   // its first attempt may be over, whatever became of it
        await AddEndpoint("points.credited");

        await Tell();

        var delivery = (await App.InDb(db => db.Deliveries.ToListAsync())).ShouldHaveSingleItem();
        delivery.EndpointId.ShouldBe(endpoint);
        delivery.CreatedAt.Kind.ShouldBe(DateTimeKind.Utc);
        delivery.NotificationId.ShouldBe((await App.InDb(db => db.Notifications.SingleAsync())).Id);
    }

    [Fact]
    public async Task An_attempt_that_has_to_wait_for_its_place_in_the_rate_is_woken()
    {
        await AddEndpoint("topup.succeeded", change: e => e.RateLimit = 1);

        await Tell();

        var delivery = await App.InDb(db => db.Deliveries.SingleAsync());
        var sent = await App.InDb(db => db.Set<OutboxMessage>().OrderBy(m => m.SequenceNumber).FirstAsync());
        sent.DestinationAddress.ShouldContain(WakeDelivery.Queue);

        // The message, not the delivery, which may have been attempted meanwhile.
        var wake = JsonNode.Parse(sent.Body)!["message"]!;
        wake["deliveryId"]!.GetValue<Guid>().ShouldBe(delivery.Id);
        wake["attempt"]!.GetValue<int>().ShouldBe(1);
    }

    [Theory]
    [InlineData(EndpointState.Paused)]
    [InlineData(EndpointState.Disabled)]
    public async Task What_comes_while_an_endpoint_is_away_is_held(EndpointState state)
    {
        await AddEndpoint("topup.succeeded", state);

        await Tell();

        var delivery = await App.InDb(db => db.Deliveries.SingleAsync());
        (delivery.State, delivery.NextAttemptAt).ShouldBe((DeliveryState.Held, null));
        (await App.InDb(db => db.Set<OutboxMessage>().CountAsync())).ShouldBe(0);
    }

    [Fact]
    public async Task A_deleted_endpoint_gets_nothing()
    {
        await AddEndpoint("topup.succeeded", EndpointState.Deleted);

        await Tell();

        (await App.InDb(db => db.Notifications.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Deliveries.CountAsync())).ShouldBe(0);
    }

    [Fact]
    public async Task A_receiver_is_told_of_what_it_may_know_only()
    {
        await AddReceiver("points", ",points.credited,");
        var allowed = await AddReceiver("both", ",points.credited,topup.succeeded,");

        await Tell();

        var told = await App.InDb(db => db.Notifications.Select(n => n.ReceiverId).ToListAsync());
        told.ShouldBe([await Default(), allowed], ignoreOrder: true);
    }

    [Fact]
    public async Task The_body_says_type_time_and_data()
    {
        await Tell();

        var stored = await App.InDb(db => db.Events.SingleAsync());
        Encoding.UTF8.GetString(stored.Body!).ShouldBe(
            $$$"""{"type":"topup.succeeded","timestamp":"2026-01-02T03:04:05Z","data":{"topUpId":"{{{succeeded.TopUpId}}}","userId":"{{{succeeded.UserId}}}","amount":500}}""");
        stored.BusinessKey.ShouldBe(succeeded.TopUpId.ToString());
    }

    [Fact]
    public async Task Who_registered_is_told_without_the_address()
    {
        await App.Publish(new UserRegistered(NewId.NextGuid(), "ada", "ada@example.com", succeeded.SucceededAt), NewId.NextGuid());
        await App.Received.WaitForCount(1);

        var body = JsonNode.Parse((await App.InDb(db => db.Events.SingleAsync())).Body!)!;
        body["type"]!.GetValue<string>().ShouldBe("user.registered");
        body["data"]!["userName"]!.GetValue<string>().ShouldBe("ada");
        body.ToJsonString().ShouldNotContain("example.com");
    }

    private async Task Tell()
    {
        var messageId = NewId.NextGuid();
        await App.Publish(succeeded, messageId);
        (await App.Received.WaitFor(message => message.MessageId == messageId)).Fault.ShouldBeNull();
    }

    private Task<Guid> Default() => App.InDb(db => db.Receivers.Where(r => r.Name == "default").Select(r => r.Id).SingleAsync());

    private async Task<Guid> AddReceiver(string name, string eventTypes)
    {
        var receiver = new Receiver { Id = NewId.NextGuid(), Name = name, ApiKeyHash = name, EventTypes = eventTypes };
        return await App.InDb(async db =>
        {
            db.Receivers.Add(receiver);
            await db.SaveChangesAsync();
            return receiver.Id;
        });
    }

    private async Task<Guid> AddEndpoint(string eventTypes, EndpointState state = EndpointState.Active, Action<WebhookEndpoint>? change = null)
    {
        var endpoint = new WebhookEndpoint
        {
            Id = NewId.NextGuid(),
            ReceiverId = await Default(),
            Url = "https://receiver.test/hook",
            EventTypes = $",{eventTypes},",
            Secret = [],
            State = state,
        };
        change?.Invoke(endpoint);
        return await App.InDb(async db =>
        {
            db.Endpoints.Add(endpoint);
            await db.SaveChangesAsync();
            return endpoint.Id;
        });
    }
}
