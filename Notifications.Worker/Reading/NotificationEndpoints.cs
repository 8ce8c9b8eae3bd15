using System.Security.Claims;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver's own notifications. Those of others do not exist for it.</summary>
internal static class NotificationEndpoints
{
    private const string List = "notifications";

    public static void MapNotificationLists(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/notifications/{id:guid}", Find);
        routes.MapGet("/notifications", ReadPage);
    }

    private static async Task<IResult> Find(
        Guid id, ClaimsPrincipal caller, NotificationsDb db, CancellationToken cancellationToken)
    {
        var notification = await Of(caller, db).SingleOrDefaultAsync(n => n.Id == id, cancellationToken);
        return notification is null
            ? Problems.NotFound("There is no notification with this id for you.")
            : TypedResults.Ok(NotificationView.Of(notification));
    }

    private static async Task<Page<NotificationView>> ReadPage(
        [AsParameters] PageRequest request, ClaimsPrincipal caller, NotificationsDb db, CancellationToken cancellationToken)
    {
        var (after, limit) = request.Read(List);
        var notifications = Of(caller, db);
        if (after is not null)
        {
            var at = new DateTime(after.Position, DateTimeKind.Utc);
            notifications = notifications
                .Where(n => n.CreatedAt > at || (n.CreatedAt == at && n.Id.CompareTo(after.Id) > 0));
        }

        var rows = await notifications.OrderBy(n => n.CreatedAt).ThenBy(n => n.Id)
            .Take(limit + 1)
            .ToListAsync(cancellationToken);
        return Page.From(rows, limit, NotificationView.Of, last => new Cursor(last.CreatedAt.Ticks, last.Id), List);
    }

    private static IQueryable<Notification> Of(ClaimsPrincipal caller, NotificationsDb db)
    {
        var receiverId = Guid.Parse(caller.FindFirstValue(ClaimTypes.NameIdentifier)!);
        return db.Notifications.AsNoTracking().Include(n => n.Event).Where(n => n.ReceiverId == receiverId);
    }
}

/// <summary>A notification as the API shows it.</summary>
public sealed record NotificationView(
    Guid Id, string Type, string BusinessKey, JsonElement? Data, DateTime OccurredAt, DateTime CreatedAt)
{
    public static NotificationView Of(Notification n) => new(
        n.Id, n.Event.Type, n.Event.BusinessKey, EventBody.Data(n.Event.Body), n.Event.OccurredAt, n.CreatedAt);
}
