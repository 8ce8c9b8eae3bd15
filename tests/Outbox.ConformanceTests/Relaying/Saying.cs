using System.Diagnostics;
using MassTransit;
using MassTransit.Logging;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>All that a sender can say of a message besides its body.</summary>
/// <param name="host">An address of the transport.</param>
internal sealed class Saying(Uri host)
{
    public static readonly TimeSpan TimeToLive = TimeSpan.FromMinutes(5);

    private readonly Guid[] _ids = [.. Enumerable.Range(0, 5).Select(_ => NewId.NextGuid())];
    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
    private readonly DateTimeOffset _before = TimeProvider.System.GetUtcNow();

    public Guid MessageId => _ids[0];

    public Guid CorrelationId => _ids[1];

    public async Task Publish(ShopDb db, IOutbox<ShopDb> outbox)
    {
        using var request = new Activity("request").SetParentId(_trace, ActivitySpanId.CreateRandom()).Start();
        await outbox.Publish(new OrderPlaced(1, "ann"), context =>
        {
            (context.MessageId, context.CorrelationId, context.ConversationId, context.InitiatorId, context.RequestId) = (_ids[0], _ids[1], _ids[2], _ids[3], _ids[4]);
            (context.SourceAddress, context.ResponseAddress, context.FaultAddress) = (Address("here"), Address("answers"), Address("faults"));
            context.TimeToLive = TimeToLive;
            context.Headers.Set("tenant", "north");
            context.Headers.Set("number", 42);
            context.Headers.Set("urgent", true);
        });
        await db.SaveChangesAsync();
    }

    public void ShouldHaveArrived(Arrival arrival)
    {
        arrival.Message.ShouldBe(new OrderPlaced(1, "ann"));
        arrival.Ids.ShouldBe([.. _ids]);
        arrival.Addresses.ShouldBe([Address("here"), Address("answers"), Address("faults")]);
        arrival.Headers.ShouldBe(("north", 42, true));
        arrival.TransportHeaders.ShouldBe(("north", 42, true));
        arrival.ContentType.ShouldBe("application/vnd.masstransit+json");
        arrival.Types.ShouldBe(["urn:message:Outbox.ConformanceTests:OrderPlaced"]);
        arrival.Trace.ShouldNotBeNull().ShouldContain(_trace.ToHexString());
        arrival.Expires.ShouldNotBeNull().ShouldBeInRange((_before + TimeToLive).UtcDateTime, (TimeProvider.System.GetUtcNow() + TimeToLive).UtcDateTime);
    }

    private Uri Address(string name) => new(host, name);
}

/// <summary>What the consumer was told.</summary>
internal sealed record Arrival(
    OrderPlaced Message, IReadOnlyList<Guid?> Ids, IReadOnlyList<Uri?> Addresses, (string? Tenant, int? Number, bool? Urgent) Headers,
    (string? Tenant, int? Number, bool? Urgent) TransportHeaders, string? ContentType, IReadOnlyList<string> Types, string? Trace, DateTime? Expires)
{
    public static Arrival Of(ConsumeContext<OrderPlaced> context) => new(
        context.Message,
        [context.MessageId, context.CorrelationId, context.ConversationId, context.InitiatorId, context.RequestId],
        [context.SourceAddress, context.ResponseAddress, context.FaultAddress],
        Of(context.Headers),                                // in the envelope
        Of(context.ReceiveContext.TransportHeaders),        // beside it, for who cannot read it
        context.ReceiveContext.ContentType?.MediaType,
        [.. context.SupportedMessageTypes],
        context.ReceiveContext.TransportHeaders.Get<string>(DiagnosticHeaders.ActivityId),
        context.ExpirationTime);

    private static (string?, int?, bool?) Of(Headers headers) => (headers.Get<string>("tenant"), headers.Get<int>("number"), headers.Get<bool>("urgent"));
}
