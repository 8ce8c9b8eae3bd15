namespace Notifications.Sending;

/// <summary>What the sending logs: for the operator, and hidden from receivers.</summary>
internal static partial class SendingLog
{
    [LoggerMessage(1, LogLevel.Warning, "A webhook was not sent to {Host}: it is at {Addresses}, where none may be sent")]
    public static partial void LeadsNowhere(this ILogger logger, string host, string addresses);
}
