using MassTransit;
using Outbox.Testing;

namespace Services.Tests;

internal sealed class ReceiveLog(SignalLog<ReceivedMessage> log) : IReceiveObserver
{
    public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostReceive(ReceiveContext context) => Add(context, null);

    public Task ReceiveFault(ReceiveContext context, Exception exception) => Add(context, exception);

    public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
        where T : class => Task.CompletedTask;

    public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
        where T : class => Task.CompletedTask;

    private Task Add(ReceiveContext context, Exception? fault)
    {
        log.Add(new ReceivedMessage(context.GetMessageId(), fault));
        return Task.CompletedTask;
    }
}

/// <summary>A message that was received.</summary>
/// <param name="MessageId">Its id.</param>
/// <param name="Fault">Why it was given up; null when it was consumed, or recognised as a duplicate.</param>
public sealed record ReceivedMessage(Guid? MessageId, Exception? Fault);
