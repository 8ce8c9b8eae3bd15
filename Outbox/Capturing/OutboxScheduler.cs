using MassTransit;
using MassTransit.Scheduling;
using MassTransit.Transports;

namespace Outbox.Capturing;

/// <summary>MassTransit's scheduler by way of the outbox: a scheduled message is a row that is due later.</summary>
/// <param name="endpoints">Endpoints that are captured.</param>
/// <param name="cancel">Takes a scheduled message back.</param>
/// <param name="time">The clock.</param>
internal sealed class OutboxScheduler(ISendEndpointProvider endpoints, Func<Guid, CancellationToken, Task<bool>> cancel, TimeProvider time) : IScheduleMessageProvider
{
    public async Task<ScheduledMessage<T>> ScheduleSend<T>(Uri destinationAddress, DateTime scheduledTime, T message, IPipe<SendContext<T>> pipe, CancellationToken cancellationToken)
        where T : class
    {
        // As everywhere in MassTransit, a time that does not say what it is is UTC.
        var due = scheduledTime.Kind == DateTimeKind.Local ? scheduledTime.ToUniversalTime() : DateTime.SpecifyKind(scheduledTime, DateTimeKind.Utc);
        var scheduled = new ScheduledFor(due);
        var endpoint = await endpoints.GetSendEndpoint(destinationAddress).ConfigureAwait(false);
        await endpoint.Send(message, new ScheduledPipe<T>(pipe, scheduled, due - time.GetUtcNow().UtcDateTime), cancellationToken).ConfigureAwait(false);
        return new ScheduledMessageHandle<T>(scheduled.Token, due, destinationAddress, message);
    }

    public Task CancelScheduledSend(Guid tokenId, CancellationToken cancellationToken) => cancel(tokenId, cancellationToken);

    public Task CancelScheduledSend(Uri destinationAddress, Guid tokenId, CancellationToken cancellationToken) => cancel(tokenId, cancellationToken);

    private sealed class ScheduledPipe<T>(IPipe<SendContext<T>> pipe, ScheduledFor scheduled, TimeSpan delay) : SendContextPipeAdapter<T>(pipe)
        where T : class
    {
        protected override void Send(SendContext<T> context)
        {
            // A message type may choose its own tokens (ScheduleTokenId.UseTokenId).
            context.MessageId = ScheduleTokenIdCache<T>.GetTokenId(context.Message, context.MessageId);
            context.Delay = delay;
            scheduled.ApplyTo(context);
        }

        protected override void Send<TOther>(SendContext<TOther> context)
        {
        }
    }
}
