using Microsoft.Extensions.Logging;

namespace Outbox.Telemetry;

/// <summary>What the inbox logs.</summary>
internal static partial class InboxLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "Message {MessageId} was consumed before by {ConsumerId}, or its redelivery is awaited: delivery {Pass} is acknowledged without running the consumer.")]
    public static partial void Duplicate(ILogger logger, Guid messageId, Guid consumerId, int pass);
}
