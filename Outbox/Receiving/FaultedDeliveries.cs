using MassTransit;
using MassTransit.Courier.Contracts;

namespace Outbox.Receiving;

/// <summary>
/// Where the transport keeps its error queues in memory, a message that ends in one would be gone with the process.
/// Watches every endpoint of the bus for such messages and has the outbox that sent one keep it as dead.
/// </summary>
internal sealed class FaultedDeliveries(IEnumerable<KeptMessages> outboxes) : IReceiveObserver
{
    public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
        where T : class
        => Task.CompletedTask;

    // Called for the failures that nothing retries or redelivers any more.
    public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
        where T : class
    {
        context.ReceiveContext.GetOrAddPayload(() => new Faulted(context.MessageId, exception, typeof(T)));
        return Task.CompletedTask;
    }

    public Task ReceiveFault(ReceiveContext context, Exception exception)
    {
        context.GetOrAddPayload(() => new Faulted(context.GetMessageId(), exception, typeof(object)));
        return Task.CompletedTask;
    }

    public async Task PostReceive(ReceiveContext context)
    {
        if (!context.TryGetPayload(out Faulted? faulted) || faulted.MessageId is not { } messageId)
            return;

        // A failed activity is an outcome of its routing slip; the slip's message itself was consumed.
        if (faulted.MessageType == typeof(RoutingSlip) && context.IsDelivered)
            return;

        foreach (var outbox in outboxes)
        {
            if (await outbox.KeepAsDead(messageId, faulted.Exception).ConfigureAwait(false))
                return;
        }
    }

    private sealed record Faulted(Guid? MessageId, Exception Exception, Type MessageType);
}
