using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Context;
using MassTransit.Courier.Contracts;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using MassTransit.Scheduling;
using Outbox.Capturing;

namespace Outbox.Receiving;

/// <summary>
/// What a consumer gets inside the inbox's transaction: everything it publishes, sends and responds becomes a row of the
/// same transaction, and nobody is told of its success or failure before the transaction has ended.
/// </summary>
/// <param name="context">The delivery.</param>
/// <param name="options">The consumer.</param>
/// <param name="provider">The services of the delivery's scope.</param>
/// <param name="work">The transaction; <see langword="null"/> once it has ended, when only the receive context is left to be told.</param>
/// <param name="entries">The message, or the messages of the batch, in the inbox.</param>
/// <param name="parts">The messages of the batch.</param>
internal sealed class InboxConsumeContext<TMessage>(
    ConsumeContext<TMessage> context, OutboxConsumeOptions options, IServiceProvider provider, InboxWork? work,
    IReadOnlyCollection<InboxEntry> entries, IReadOnlyCollection<MessageRedeliveryContext>? parts = null)
    : OutboxConsumeContextProxy<TMessage>(context, options, provider), MessageRedeliveryContext
    where TMessage : class
{
    private readonly ConcurrentQueue<Func<Task>> _consumed = [];
    private readonly ConcurrentQueue<Func<Task>> _faulted = [];
    private ConsumeMessageSchedulerContext? _scheduler;

    public override bool IsMessageConsumed => work is null;

    // Once consumed there is nothing left to deliver: the relay does that, from the committed rows.
    public override bool IsOutboxDelivered => work is null;

    public override bool ContinueProcessing { get; set; } = true;

    public override int ReceiveCount => 1;

    public override long? LastSequenceNumber => null;

    private InboxWork Work => work ?? throw new InvalidOperationException("The inbox's transaction of this message has ended; nothing can be sent in it any more.");

    public override async Task AddSend<T>(SendContext<T> context)
    {
        await Work.Capture.AddSend(context).ConfigureAwait(false);
        foreach (var entry in entries.Where(e => RedeliveryCopy.Is(context, e, ReceiveContext)))
            Work.AwaitRedelivery(entry, context.Delay ?? TimeSpan.Zero);
    }

    /// <summary>The consumer asks for its message, or its whole batch, again: the copy, and the note that it is awaited, join the transaction.</summary>
    public async Task ScheduleRedelivery(TimeSpan delay, Action<ConsumeContext, SendContext>? callback = null)
    {
        if (parts is null)
            await new RedeliveryCopy(this, delay, Work.Time, callback).SendTo(this).ConfigureAwait(false);
        foreach (var part in parts ?? [])
            await part.ScheduleRedelivery(delay, callback).ConfigureAwait(false);
    }

    /// <summary>Whoever schedules in the consumer, by whichever of MassTransit's ways, schedules a row of the transaction.</summary>
    public override bool TryGetPayload<TPayload>(out TPayload payload)
        where TPayload : class
    {
        if (typeof(TPayload) != typeof(MessageSchedulerContext) || work is null)
            return base.TryGetPayload(out payload);

        payload = (TPayload)(object)(_scheduler ??= new ConsumeMessageSchedulerContext(this, SchedulerOf));
        return true;
    }

    public override bool HasPayloadType(Type payloadType)
        => (payloadType == typeof(MessageSchedulerContext) && work is not null) || base.HasPayloadType(payloadType);

    /// <summary>The consumer has run: stores its changes and its messages. The commit follows.</summary>
    public override Task SetConsumed() => Work.Save(CancellationToken);

    public override Task NotifyConsumed<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
    {
        if (work is null)
            return base.NotifyConsumed(context, duration, consumerType);

        _consumed.Enqueue(() => base.NotifyConsumed(context, duration, consumerType));
        return Task.CompletedTask;
    }

    public override async Task NotifyFaulted<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
    {
        _faulted.Enqueue(() => base.NotifyFaulted(context, duration, consumerType, exception));

        // A failed activity does not fail its routing slip's message: what it wrote goes, what is sent next about it stays.
        if (work is not null && typeof(TMessage) == typeof(RoutingSlip))
            await work.ForgetActivity(CancellationToken).ConfigureAwait(false);
    }

    /// <summary>The transaction has been committed: tells what was held back.</summary>
    public async Task Committed()
    {
        await TellFaults().ConfigureAwait(false);
        while (_consumed.TryDequeue(out var notify))
            await notify().ConfigureAwait(false);
    }

    /// <summary>The transaction was rolled back for good: tells what failed, and forgets what succeeded.</summary>
    /// <returns>Whether anything had failed inside.</returns>
    public Task<bool> RolledBack() => TellFaults();

    public override Task<List<OutboxMessageContext>> LoadOutboxMessages() => Task.FromResult(new List<OutboxMessageContext>());

    public override Task NotifyOutboxMessageDelivered(OutboxMessageContext message) => Task.CompletedTask;

    public override Task RemoveOutboxMessages() => Task.CompletedTask;

    public override Task SetDelivered() => Task.CompletedTask;

    private MessageScheduler SchedulerOf(ConsumeContext sender)
        => new(new OutboxScheduler(sender, Work.Capture.Cancel, Work.Time), Work.Capture.Topology);

    private async Task<bool> TellFaults()
    {
        var any = false;
        while (_faulted.TryDequeue(out var notify))
        {
            any = true;
            await notify().ConfigureAwait(false);
        }

        return any;
    }
}
