using System.Text.Json;

namespace Notifications;

/// <summary>A notification as the API shows it.</summary>
/// <param name="Id">Also the <c>webhook-id</c> of its deliveries.</param>
/// <param name="Type">What kind of event.</param>
/// <param name="BusinessKey">The event's own name within its type.</param>
/// <param name="Data">What happened; null when it is not kept any more.</param>
/// <param name="OccurredAt">When it happened.</param>
/// <param name="CreatedAt">When it was taken in here.</param>
/// <param name="Status">A name of <see cref="DeliveryState"/>: of several deliveries, the one that is furthest behind.</param>
/// <param name="AcknowledgedAt">When the receiver acknowledged it; null: not yet.</param>
public sealed record NotificationView(
    Guid Id,
    string Type,
    string BusinessKey,
    JsonElement? Data,
    DateTime OccurredAt,
    DateTime CreatedAt,
    string Status,
    DateTime? AcknowledgedAt);

/// <summary>A notification with the state that it is shown in, still in the database.</summary>
internal sealed class ShownNotification
{
    public required Notification Notification { get; init; }

    public required BusinessEvent Event { get; init; }

    public DeliveryState Status { get; init; }

    public NotificationView View() => new(
        Notification.Id,
        Event.Type,
        Event.BusinessKey,
        EventBody.Data(Event.Body),
        Event.OccurredAt,
        Notification.CreatedAt,
        Status.Text(),
        Notification.AcknowledgedAt);
}
