using Microsoft.Extensions.Logging;

namespace Outbox.Telemetry;

/// <summary>What the inbox logs.</summary>
internal static partial class InboxLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "Message {MessageId} was consumed before by {ConsumerId}, or a later delivery of it is awaited: delivery {Pass} is acknowledged without running the consumer.")]
    public static partial void Duplicate(ILogger logger, Guid messageId, Guid consumerId, int pass);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The inbox of {DbContext} could not begin: its row or its database is locked by others, or the database is away. The message waits, and beginning is tried again until it succeeds.")]
    public static partial void Waits(ILogger logger, string dbContext, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Redelivery {Pass} of message {MessageId} is stored and due after {Delay}.")]
    public static partial void RedeliveryStored(ILogger logger, Guid messageId, int pass, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redelivery {Pass} of message {MessageId} could not be stored in the outbox of {DbContext}. The message waits, and storing is tried again until it succeeds.")]
    public static partial void RedeliveryWaits(ILogger logger, Guid messageId, int pass, string dbContext, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Count} expired rows of the inbox of {DbContext} were deleted.")]
    public static partial void CleanedUp(ILogger logger, int count, string dbContext);

    [LoggerMessage(Level = LogLevel.Error, Message = "The expired rows of the inbox of {DbContext} could not be deleted; tried again after {Pause}.")]
    public static partial void CleanUpFailed(ILogger logger, string dbContext, TimeSpan pause, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Message {MessageId} could not be consumed. It is kept as dead in the outbox of {DbContext}; an operator requeues or discards it. Its other consumers have got it, unless the process ends before they have run: then the requeue brings it to them as well.")]
    public static partial void KeptAsDead(ILogger logger, Guid messageId, string dbContext, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Message {MessageId} could not be consumed, and the outbox of {DbContext} could not mark it as dead: it will be sent again at the next start.")]
    public static partial void KeepingFailed(ILogger logger, Guid messageId, string dbContext, Exception exception);
}
