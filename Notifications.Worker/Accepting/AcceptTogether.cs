using System.Diagnostics;
using MassTransit;

namespace Notifications;

/// <summary>
/// Stands before the inbox and the retries of an <see cref="AcceptEvent{TMessage}"/>: has the event taken in together with others. What
/// cannot be, or comes again, goes on as every other message does.
/// </summary>
internal sealed class AcceptTogether<TMessage>(EventType<TMessage> type, EventIntake intake) : IFilter<ConsumeContext<TMessage>>
    where TMessage : class
{
    public async Task Send(ConsumeContext<TMessage> context, IPipe<ConsumeContext<TMessage>> next)
    {
        var started = Stopwatch.GetTimestamp();
        if (context.GetRedeliveryCount() == 0 && Read(context.Message) is { } happening && await intake.Add(happening))
        {
            await context.NotifyConsumed(Stopwatch.GetElapsedTime(started), TypeCache<AcceptEvent<TMessage>>.ShortName);
            return;
        }

        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("acceptTogether");

    /// <summary>Null when it cannot be read; the consumer, which tries again, says why.</summary>
    private Happening? Read(TMessage message)
    {
        try
        {
            return type.Of(message) is { BusinessKey.Length: > 0 and <= BusinessEvent.MaxBusinessKey } happening ? happening : null;
        }
        catch (Exception)
        {
            return null;
        }
    }
}
