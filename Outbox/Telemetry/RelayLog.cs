using Microsoft.Extensions.Logging;
using Outbox.Relaying;

namespace Outbox.Telemetry;

/// <summary>What the relay reports.</summary>
internal static partial class RelayLog
{
    [LoggerMessage(1201, LogLevel.Information, "Replica {Replica} relays from now on.")]
    public static partial void Joined(this ILogger logger, Guid replica);

    [LoggerMessage(1202, LogLevel.Information, "Replica {Replica} has given its partitions back and relays no longer.")]
    public static partial void Left(this ILogger logger, Guid replica);

    [LoggerMessage(1203, LogLevel.Warning, "Replica {Replica} was evicted by another one, which saw no beat for {LeaseTime}: this process was paused, or its database out of reach. It starts anew.")]
    public static partial void EvictedSelf(this ILogger logger, Guid replica, TimeSpan leaseTime);

    [LoggerMessage(1204, LogLevel.Warning, "Replica {Replica} has not beaten for {LeaseTime} and was evicted; its partitions are free.")]
    public static partial void EvictedOther(this ILogger logger, Guid replica, TimeSpan leaseTime);

    [LoggerMessage(1205, LogLevel.Warning, "The lock beside the database file was expected to be free and is not; this process relays when it is. Most likely another one relays from the file. {Reason}")]
    public static partial void FileIsLocked(this ILogger logger, string reason);

    [LoggerMessage(1206, LogLevel.Warning, "The relay of {DbContext} could not show that it lives; it sends nothing until it can.")]
    public static partial void CannotBeat(this ILogger logger, string dbContext, Exception exception);

    [LoggerMessage(1211, LogLevel.Error, "The relay of {DbContext} expected its database to answer and got an error; it tries again until there is an answer.")]
    public static partial void DatabaseLost(this ILogger logger, string dbContext, Exception exception);

    [LoggerMessage(1212, LogLevel.Information, "The relay of {DbContext} has its database again, after {Outage}.")]
    public static partial void DatabaseBack(this ILogger logger, string dbContext, TimeSpan outage);

    [LoggerMessage(1213, LogLevel.Error, "The broker was expected to be reachable and is not; messages stay in the outbox until it is.")]
    public static partial void BrokerLost(this ILogger logger, Exception? exception);

    [LoggerMessage(1214, LogLevel.Information, "The broker can be reached again, after {Outage}.")]
    public static partial void BrokerBack(this ILogger logger, TimeSpan outage);

    [LoggerMessage(1215, LogLevel.Warning, "Sends were expected to be answered and were interrupted; the broker can be reached, and what was on its way is sent again, one at a time.")]
    public static partial void Interrupted(this ILogger logger, Exception cause);

    [LoggerMessage(1216, LogLevel.Warning, "The connection to {Broker} was expected to be replaced after it was closed ({Reason}) and was not; it is given up now.")]
    public static partial void DeadConnection(this ILogger logger, string broker, string? reason);

    [LoggerMessage(1217, LogLevel.Warning, "A queue of {Broker} was expected to be received from again after its connection or its channel was closed ({Reason}) and was not; the channel is given up now.")]
    public static partial void UntoldChannel(this ILogger logger, string broker, string? reason);

    [LoggerMessage(1221, LogLevel.Warning, "{Count} messages were expected to be confirmed and were not ({Outcome}), {MessageId} to {Destination} among them; they are tried again.")]
    public static partial void NotSent(this ILogger logger, int count, Guid messageId, string destination, OutcomeKind outcome, Exception? exception);

    [LoggerMessage(1222, LogLevel.Error, "{Count} messages are dead, {MessageId} to {Destination} among them, after {Attempts} attempts; an operator can requeue or discard them.")]
    public static partial void Died(this ILogger logger, int count, Guid messageId, string destination, int attempts, Exception? exception);

    [LoggerMessage(1223, LogLevel.Information, "{Count} messages had expired before they were sent, {MessageId} among them; they are deleted.")]
    public static partial void Expired(this ILogger logger, int count, Guid messageId);

    [LoggerMessage(1224, LogLevel.Error, "The database was expected to take down what became of message {MessageId} ({SequenceNumber}), and refuses it; it is tried again, and the other messages go on meanwhile.")]
    public static partial void NotTaken(this ILogger logger, Guid messageId, long sequenceNumber, Exception exception);

    [LoggerMessage(1231, LogLevel.Critical, "The relay of {DbContext} stops with the application: {Reason}")]
    public static partial void CannotRelay(this ILogger logger, string dbContext, string reason);

    [LoggerMessage(1232, LogLevel.Error, "The relay of {DbContext} failed in a way that nobody expected; it goes on after a pause.")]
    public static partial void Unexpected(this ILogger logger, string dbContext, Exception exception);

    [LoggerMessage(1233, LogLevel.Warning, "The relay of {DbContext} could not give its partitions back; the other replicas take them when its lease has run out.")]
    public static partial void NotReleased(this ILogger logger, string dbContext, Exception exception);
}
