using MassTransit;
using MassTransit.Middleware;

namespace Outbox.Receiving;

/// <summary>Which message, for which consumer, in which redelivery: what the inbox knows a delivery by.</summary>
internal sealed record InboxEntry(Guid MessageId, Guid ConsumerId, int Pass)
{
    /// <exception cref="MessageException">The message has no id.</exception>
    public static InboxEntry Of<T>(ConsumeContext<T> context, OutboxConsumeOptions options)
        where T : class
        => new(
            context.GetOriginalMessageId() ?? throw new MessageException(typeof(T), "The inbox needs a message id; found none."),
            options.ConsumerId,
            context.GetRedeliveryCount());
}
