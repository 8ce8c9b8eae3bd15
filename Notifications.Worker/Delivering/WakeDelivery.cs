namespace Notifications.Delivering;

/// <summary>
/// An attempt may be due. Sent to the notifier's own queue, at once or later; whether there is anything to do says the
/// delivery's row, which must still stand at that attempt.
/// </summary>
/// <param name="DeliveryId">Which delivery.</param>
/// <param name="Attempt">Which attempt, by <see cref="Delivery.Attempt"/>.</param>
public sealed record WakeDelivery(Guid DeliveryId, int Attempt)
{
    /// <summary>The queue's name.</summary>
    public const string Queue = "notifications-deliver";

    /// <summary>Where it is sent: the queue's exchange, since by a queue's address the sender would declare the queue, of its own type.</summary>
    public static Uri Address { get; } = new($"exchange:{Queue}");
}
