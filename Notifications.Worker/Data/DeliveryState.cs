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

/// <summary>What can happen to a delivery.</summary>
public enum DeliveryChange
{
    /// <summary>An attempt begins.</summary>
    Take,

    /// <summary>The attempt succeeded.</summary>
    Deliver,

    /// <summary>The attempt failed, or could not be made now; another will follow.</summary>
    Retry,

    /// <summary>Whoever took it was not heard of for its lease; another attempt will follow.</summary>
    Lapse,

    /// <summary>The attempt failed and was the last.</summary>
    Exhaust,

    /// <summary>The endpoint is paused or disabled.</summary>
    Hold,

    /// <summary>The endpoint is active again.</summary>
    Release,

    /// <summary>The receiver knows.</summary>
    Acknowledge,

    /// <summary>The receiver wants it again, from the schedule's beginning.</summary>
    Resend,
}

/// <summary>Which change leads from which state to which.</summary>
public static class DeliveryStates
{
    private static readonly DeliveryState[] Every = Enum.GetValues<DeliveryState>();

    /// <summary>The states that a change may begin in: what the <c>WHERE</c> of its statement compares with.</summary>
    public static DeliveryState[] From(DeliveryChange change) => change switch
    {
        DeliveryChange.Take => [DeliveryState.Pending],
        DeliveryChange.Deliver or DeliveryChange.Retry or DeliveryChange.Lapse or DeliveryChange.Exhaust => [DeliveryState.Delivering],
        DeliveryChange.Hold => [DeliveryState.Pending, DeliveryState.Delivering],
        DeliveryChange.Release => [DeliveryState.Held],
        DeliveryChange.Acknowledge or DeliveryChange.Resend => [.. Every.Where(state => state != DeliveryState.Acknowledged)],
        _ => throw new ArgumentOutOfRangeException(nameof(change), change, "There is no such change."),
    };

    /// <summary>The state that a change ends in.</summary>
    public static DeliveryState To(DeliveryChange change) => change switch
    {
        DeliveryChange.Take => DeliveryState.Delivering,
        DeliveryChange.Deliver => DeliveryState.Delivered,
        DeliveryChange.Retry or DeliveryChange.Lapse or DeliveryChange.Release or DeliveryChange.Resend => DeliveryState.Pending,
        DeliveryChange.Exhaust => DeliveryState.Exhausted,
        DeliveryChange.Hold => DeliveryState.Held,
        DeliveryChange.Acknowledge => DeliveryState.Acknowledged,
        _ => throw new ArgumentOutOfRangeException(nameof(change), change, "There is no such change."),
    };
}
