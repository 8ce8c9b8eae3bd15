using Microsoft.Extensions.Logging;

namespace Outbox.Telemetry;

/// <summary>What the check-backs report.</summary>
internal static partial class CheckLog
{
    [LoggerMessage(1501, LogLevel.Information, "The check-back of half message {MessageId} answered {Answer}; it is decided.")]
    public static partial void CheckDecided(this ILogger logger, Guid messageId, CheckBackAnswer answer);

    [LoggerMessage(1502, LogLevel.Information, "While half message {MessageId} was checked back somebody else decided it: {Found}.")]
    public static partial void CheckOvertaken(this ILogger logger, Guid messageId, OutboxMessageState? found);

    [LoggerMessage(1503, LogLevel.Warning, "The check-back of half message {MessageId} ({MessageType}) gave no answer. That counts for nothing; it is asked again at {Due:O}, and so on until it answers.")]
    public static partial void NoAnswer(this ILogger logger, Guid messageId, string messageType, DateTime due, Exception exception);

    [LoggerMessage(1504, LogLevel.Error, "Half message {MessageId} ({SequenceNumber}, {MessageType}) is undecided after {Answers} check-backs that answered Unknown: an operator commits it or rolls it back.")]
    public static partial void Undecided(this ILogger logger, Guid messageId, long sequenceNumber, string messageType, int answers);

    [LoggerMessage(1505, LogLevel.Warning, "This replica has no check-back for half message {MessageId} ({MessageType}); another replica is to ask.")]
    public static partial void NobodyToAsk(this ILogger logger, Guid messageId, string messageType);

    [LoggerMessage(1506, LogLevel.Error, "What the check-back of half message {SequenceNumber} came to could not be written down; it is asked again.")]
    public static partial void CheckNotNoted(this ILogger logger, long sequenceNumber, Exception exception);

    [LoggerMessage(1507, LogLevel.Error, "The half messages of {DbContext} that are due could not be looked up; tried again until there is an answer.")]
    public static partial void ChecksFailed(this ILogger logger, string dbContext, Exception exception);

    [LoggerMessage(1508, LogLevel.Warning, "Check-backs of {DbContext} did not heed their cancellation within {Limit}; they are left behind, and their messages checked again.")]
    public static partial void ChecksLeft(this ILogger logger, string dbContext, TimeSpan limit);

    [LoggerMessage(1509, LogLevel.Debug, "A check-back ended without an answer.")]
    public static partial void CheckEnded(this ILogger logger, Exception exception);

    [LoggerMessage(1510, LogLevel.Debug, "{Count} old decisions about half messages of {DbContext} were forgotten.")]
    public static partial void DecisionsForgotten(this ILogger logger, int count, string dbContext);

    [LoggerMessage(1511, LogLevel.Warning, "The markers of {MessageType} could not be deleted; their decisions are remembered until they can.")]
    public static partial void MarkersNotForgotten(this ILogger logger, string messageType, Exception exception);
}
