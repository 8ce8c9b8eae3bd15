using MassTransit;
using MassTransit.Batching;
using MassTransit.Context;
using MassTransit.Middleware;

namespace Outbox.Receiving;

/// <summary>What a consumer is handed at once: one message, or a batch of them. Each message has an entry of its own in the inbox.</summary>
internal abstract class Intake<T>
    where T : class
{
    /// <summary>The one for this kind of message.</summary>
    public static readonly Intake<T> Instance = typeof(T).IsGenericType && typeof(T).GetGenericTypeDefinition() == typeof(Batch<>)
        ? (Intake<T>)Activator.CreateInstance(typeof(BatchIntake<>).MakeGenericType(typeof(T).GenericTypeArguments))!
        : new SingleIntake<T>();

    /// <summary>The messages, each with its entry.</summary>
    public abstract IReadOnlyList<(InboxEntry Entry, ConsumeContext Message)> Messages(ConsumeContext<T> context, OutboxConsumeOptions options);

    /// <summary>What the consumer gets: the messages that may run, and no other.</summary>
    public abstract InboxConsumeContext<T> Context(
        ConsumeContext<T> context, OutboxConsumeOptions options, IServiceProvider provider, InboxWork work, IReadOnlyCollection<ConsumeContext> claimed);

    /// <summary>Counts one of the messages as delivered, although the others failed.</summary>
    public virtual Task Delivered(ConsumeContext message, TimeSpan elapsed, string consumerType) => Task.CompletedTask;
}

/// <inheritdoc/>
internal sealed class SingleIntake<T> : Intake<T>
    where T : class
{
    public override IReadOnlyList<(InboxEntry Entry, ConsumeContext Message)> Messages(ConsumeContext<T> context, OutboxConsumeOptions options)
        => [(InboxEntry.Of(context, options), context)];

    public override InboxConsumeContext<T> Context(
        ConsumeContext<T> context, OutboxConsumeOptions options, IServiceProvider provider, InboxWork work, IReadOnlyCollection<ConsumeContext> claimed)
        => new(context, options, provider, work, [InboxEntry.Of(context, options)]);
}

/// <inheritdoc/>
internal sealed class BatchIntake<T> : Intake<Batch<T>>
    where T : class
{
    public override IReadOnlyList<(InboxEntry Entry, ConsumeContext Message)> Messages(ConsumeContext<Batch<T>> context, OutboxConsumeOptions options)
        => [.. context.Message.Select(m => (InboxEntry.Of(m, options), (ConsumeContext)m))];

    // The messages are wrapped too: what the consumer publishes by one of them is a row of the transaction as well.
    public override InboxConsumeContext<Batch<T>> Context(
        ConsumeContext<Batch<T>> context, OutboxConsumeOptions options, IServiceProvider provider, InboxWork work, IReadOnlyCollection<ConsumeContext> claimed)
    {
        var entries = new List<InboxEntry>(claimed.Count);
        var messages = new List<InboxConsumeContext<T>>(claimed.Count);
        foreach (var message in context.Message.Where(claimed.Contains))
        {
            var entry = InboxEntry.Of(message, options);
            entries.Add(entry);
            messages.Add(new InboxConsumeContext<T>(message, options, provider, work, [entry]));
        }

        var batch = new MessageBatch<T>(context.Message.FirstMessageReceived, context.Message.LastMessageReceived, context.Message.Mode, messages);
        return new InboxConsumeContext<Batch<T>>(new BatchConsumeContext<T>(context, batch), options, provider, work, entries, messages);
    }

    public override Task Delivered(ConsumeContext message, TimeSpan elapsed, string consumerType)
        => message.ReceiveContext.NotifyConsumed((ConsumeContext<T>)message, elapsed, consumerType);
}
