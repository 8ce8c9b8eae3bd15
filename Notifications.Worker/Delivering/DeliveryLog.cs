namespace Notifications.Delivering;

/// <summary>What the delivering logs. No addresses with their queries, no headers, no bodies: they may hold secrets.</summary>
internal static partial class DeliveryLog
{
    [LoggerMessage(1, LogLevel.Debug, "Notification {NotificationId} to endpoint {EndpointId}, attempt {Attempt}: {Outcome}, status {StatusCode}, now {State}")]
    public static partial void Made(
        this ILogger logger, Guid notificationId, Guid endpointId, int attempt, AttemptOutcome outcome, int? statusCode, DeliveryState state);

    [LoggerMessage(2, LogLevel.Warning, "The outcome of attempt {Attempt} of notification {NotificationId} to endpoint {EndpointId} could not be written down yet")]
    public static partial void CannotRecord(this ILogger logger, Guid notificationId, Guid endpointId, int attempt, Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "Attempt {Attempt} of delivery {DeliveryId} failed within the notifier; it is woken again when it counts as forgotten")]
    public static partial void LeftToTheSweeper(this ILogger logger, Guid deliveryId, int attempt, Exception exception);

    [LoggerMessage(4, LogLevel.Warning, "The sweeper failed; it goes on trying")]
    public static partial void SweepFailed(this ILogger logger, Exception exception);

    [LoggerMessage(5, LogLevel.Information, "The sweeper took up {Lapsed} attempts whose replica was lost and {Overdue} that were not woken, released {Released} held deliveries and resumed {Resumed} jobs")]
    public static partial void Swept(this ILogger logger, int lapsed, int overdue, int released, int resumed);

    [LoggerMessage(6, LogLevel.Debug, "The outcomes of {Count} attempts could not be written down together; each is written down on its own")]
    public static partial void NotRecordedTogether(this ILogger logger, int count, Exception exception);
}
