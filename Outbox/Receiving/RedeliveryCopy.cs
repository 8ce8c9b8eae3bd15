using MassTransit;
using MassTransit.Serialization;
using MassTransit.Transports;

namespace Outbox.Receiving;

/// <summary>
/// The message once more, for its own endpoint and for later: the stored body, under a new message id that names the
/// original one, with its redelivery count raised.
/// </summary>
internal sealed class RedeliveryCopy(ConsumeContext context, TimeSpan delay, TimeProvider time, Action<ConsumeContext, SendContext>? callback) : IPipe<SendContext>
{
    /// <summary>Sends the copy by way of <paramref name="endpoints"/>, which captures it.</summary>
    public async Task SendTo(ISendEndpointProvider endpoints)
    {
        var endpoint = await endpoints.GetSendEndpoint(context.ReceiveContext.InputAddress).ConfigureAwait(false);
        await endpoint.Send(new SerializedMessageBody(), this, context.CancellationToken).ConfigureAwait(false);
    }

    public Task Send(SendContext send)
    {
        foreach (var (name, value) in context.Headers.GetAll())
            send.Headers.Set(name, value, overwrite: true);

        send.MessageId = context.MessageId;
        send.RequestId = context.RequestId;
        send.ConversationId = context.ConversationId;
        send.CorrelationId = context.CorrelationId;
        send.InitiatorId = context.InitiatorId;
        send.SourceAddress = context.SourceAddress;
        send.ResponseAddress = context.ResponseAddress;
        send.FaultAddress = context.FaultAddress;
        if (context.ExpirationTime is { } expires)
            send.TimeToLive = expires.ToUniversalTime() - time.GetUtcNow().UtcDateTime;

        send.ApplyRedeliveryOptions(context, RedeliveryOptions.ReplaceMessageId);
        send.SupportedMessageTypes = [.. context.SupportedMessageTypes];
        send.Serializer = context.SerializerContext.GetMessageSerializer();
        send.Delay = delay;
        callback?.Invoke(context, send);
        return Task.CompletedTask;
    }

    public void Probe(ProbeContext context)
    {
    }

    /// <summary>
    /// Whether a message is such a copy for this delivery's own endpoint, whoever made it: <c>Defer</c>, a saga that has not
    /// begun yet, a scheduler.
    /// </summary>
    public static bool Is(SendContext send, InboxEntry entry, ReceiveContext receive)
    {
        if (!send.Headers.TryGetHeader(MessageHeaders.RedeliveryCount, out var count)
            || Convert.ToInt32(count, System.Globalization.CultureInfo.InvariantCulture) <= entry.Pass)
        {
            return false;
        }

        var original = send.Headers.TryGetHeader(MessageHeaders.OriginalMessageId, out var id) && Guid.TryParse(id.ToString(), out var named)
            ? named
            : send.MessageId;
        return original == entry.MessageId
            && string.Equals(send.DestinationAddress.GetEndpointName(), receive.InputAddress.GetEndpointName(), StringComparison.Ordinal);
    }
}
