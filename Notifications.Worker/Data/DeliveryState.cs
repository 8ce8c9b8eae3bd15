namespace Notifications;

/// <summary>How far a delivery is. Stored by number.</summary>
/// <remarks>The order has a meaning: a notification with several deliveries is shown in the lowest state of them.</remarks>
public enum DeliveryState
{
    /// <summary>An attempt is to come.</summary>
    Pending = 0,

    /// <summary>An attempt is under way.</summary>
    Delivering = 1,

    /// <summary>The endpoint is paused or disabled; goes on when it is resumed.</summary>
    Held = 2,

    /// <summary>All attempts of the schedule failed. Kept, to be found, recovered or acknowledged.</summary>
    Exhausted = 3,

    /// <summary>The endpoint took it.</summary>
    Delivered = 4,

    /// <summary>The receiver said that it knows. Nothing changes it any more.</summary>
    Acknowledged = 5,
}
