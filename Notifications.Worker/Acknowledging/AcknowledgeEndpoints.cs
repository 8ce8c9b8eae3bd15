using System.Security.Claims;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

internal static class AcknowledgeEndpoints
{
    public static void MapAcknowledging(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/notifications/{id:guid}/ack", AcknowledgeOne).TriedAgain();
        routes.MapPost("/notifications/ack", AcknowledgeAll).Validate<AcknowledgeMany>().TriedAgain();
    }

    private static async Task<IResult> AcknowledgeOne(
        Guid id, ClaimsPrincipal caller, Acknowledge acknowledge, NotificationsDb db, CancellationToken cancellationToken)
    {
        if ((await acknowledge.Run(caller.ReceiverId(), [id], cancellationToken)).Count == 0)
        {
            return NotificationEndpoints.NotFound();
        }

        var shown = await db.Shown(caller.ReceiverId()).SingleAsync(s => s.Notification.Id == id, cancellationToken);
        return TypedResults.Ok(shown.View());
    }

    private static async Task<IResult> AcknowledgeAll(
        AcknowledgeMany request, ClaimsPrincipal caller, Acknowledge acknowledge, CancellationToken cancellationToken)
    {
        var ids = request.Ids!.Distinct().ToList();
        var acknowledged = (await acknowledge.Run(caller.ReceiverId(), ids, cancellationToken)).ToHashSet();
        return TypedResults.Ok(new AcknowledgedMany(ids.FindAll(acknowledged.Contains), ids.FindAll(id => !acknowledged.Contains(id))));
    }
}
