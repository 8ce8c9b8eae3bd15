using System.Security.Claims;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver has a notification delivered once more, with all retries.</summary>
internal static class ResendEndpoint
{
    public static void MapResending(this IEndpointRouteBuilder routes) => routes.MapPost("/notifications/{id:guid}/resend", Resend).TriedAgain();

    private static async Task<IResult> Resend(
        Guid id, ClaimsPrincipal caller, NotificationsDb db, DeliveryStart deliveries, CancellationToken cancellationToken)
    {
        var own = db.Shown(caller.ReceiverId()).Where(s => s.Notification.Id == id);
        if (await own.Select(s => new { IsKept = s.Event.Body != null }).SingleOrDefaultAsync(cancellationToken) is not { } found)
        {
            return NotificationEndpoints.NotFound();
        }

        if (!found.IsKept)
        {
            return Refuse("payload-expired", "What the notification told is not kept any more.");
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (!await db.LockUnacknowledged([id], cancellationToken))
        {
            return Refuse("already-acknowledged", "The notification was acknowledged: nobody needs to be told again.");
        }

        var rows = await (
            from delivery in db.Deliveries
            join endpoint in db.Endpoints on delivery.EndpointId equals endpoint.Id
            where delivery.NotificationId == id && endpoint.State != EndpointState.Deleted
            select new { delivery.Id, endpoint.State }).ToListAsync(cancellationToken);
        if (rows.Count == 0)
        {
            return Refuse("no-endpoint", "No endpoint was told of this. Recover an endpoint with the scope 'missing' instead.");
        }

        foreach (var group in rows.GroupBy(row => row.State, row => row.Id))
        {
            await deliveries.BeginAnew([.. group], only: null, group.Key, cancellationToken);
        }

        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return TypedResults.Accepted($"/v1/notifications/{id}/attempts", (await own.SingleAsync(cancellationToken)).View());
    }

    private static IResult Refuse(string type, string title) => Problems.Of(StatusCodes.Status409Conflict, type, title);
}
