using System.Security.Claims;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver's own notifications. Those of others do not exist for it.</summary>
internal static class NotificationEndpoints
{
    private const int MaxAttempts = 500;

    public static void MapNotificationLists(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/notifications", ReadFeed);
        routes.MapGet("/notifications/{id:guid}", Find);
        routes.MapGet("/notifications/by-key/{type}/{**businessKey}", FindByKey);
        routes.MapGet("/notifications/{id:guid}/attempts", ReadAttempts);
    }

    public static IResult NotFound() => Problems.NotFound("There is no such notification for you.");

    private static Task<Page<NotificationView>> ReadFeed(
        [AsParameters] FeedRequest request, ClaimsPrincipal caller, FeedReader feed, CancellationToken cancellationToken) =>
        feed.Read(caller.ReceiverId(), request.Read(), cancellationToken);

    private static async Task<IResult> Find(Guid id, ClaimsPrincipal caller, NotificationsDb db, CancellationToken cancellationToken) =>
        Answer(await db.Shown(caller.ReceiverId()).SingleOrDefaultAsync(s => s.Notification.Id == id, cancellationToken));

    private static async Task<IResult> FindByKey(
        string type, string businessKey, ClaimsPrincipal caller, NotificationsDb db, CancellationToken cancellationToken) =>
        Answer(await db.Shown(caller.ReceiverId())
            .SingleOrDefaultAsync(s => s.Event.Type == type && s.Event.BusinessKey == businessKey, cancellationToken));

    private static async Task<IResult> ReadAttempts(
        Guid id, ClaimsPrincipal caller, NotificationsDb db, CancellationToken cancellationToken)
    {
        var receiverId = caller.ReceiverId();
        if (!await db.Notifications.AnyAsync(n => n.Id == id && n.ReceiverId == receiverId, cancellationToken))
        {
            return NotFound();
        }

        var deliveries = await db.Deliveries.AsNoTracking()
            .Where(d => d.NotificationId == id)
            .OrderBy(d => d.CreatedAt).ThenBy(d => d.Id)
            .ToListAsync(cancellationToken);
        var endpoints = deliveries.ToDictionary(d => d.Id, d => d.EndpointId);
        var attempts = await db.Attempts.AsNoTracking()
            .Where(a => endpoints.Keys.Contains(a.DeliveryId))
            .OrderByDescending(a => a.StartedAt).ThenByDescending(a => a.Number)
            .Take(MaxAttempts)
            .ToListAsync(cancellationToken);
        attempts.Reverse();
        return TypedResults.Ok(new AttemptsView(
            deliveries.ConvertAll(DeliveryView.Of), attempts.ConvertAll(a => AttemptView.Of(a, endpoints[a.DeliveryId]))));
    }

    private static IResult Answer(ShownNotification? found) => found is null ? NotFound() : TypedResults.Ok(found.View());
}
