using Microsoft.Extensions.Logging;

namespace Outbox.Telemetry;

/// <summary>What the relay reports.</summary>
internal static partial class RelayLog
{
    [LoggerMessage(1201, LogLevel.Warning, "Message {MessageId} was on its way when the connection broke; it is sent again.")]
    public static partial void SendInterrupted(this ILogger logger, Guid messageId, Exception? exception);

    [LoggerMessage(1202, LogLevel.Error, "The relay of {DbContext} lost its database, expected an answer; it tries again until there is one.")]
    public static partial void DatabaseLost(this ILogger logger, string dbContext, Exception exception);

    [LoggerMessage(1203, LogLevel.Information, "The relay of {DbContext} has its database again, after {Outage}.")]
    public static partial void DatabaseBack(this ILogger logger, string dbContext, TimeSpan outage);
}
