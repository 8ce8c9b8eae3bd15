using System.Security.Claims;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver's endpoints: paused, resumed, given a new secret and tried out.</summary>
internal static class EndpointStateRoutes
{
    public static void MapEndpointStates(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/endpoints/{id:guid}/pause", Pause);
        routes.MapPost("/endpoints/{id:guid}/resume", Resume);
        routes.MapPost("/endpoints/{id:guid}/rotate-secret", Rotate).Validate<RotateSecret>();
        routes.MapPost("/endpoints/{id:guid}/test", Test);
    }

    // What is pending is held when its time comes; what is held is released by the sweeper, at the endpoint's own rate.
    private static Task<IResult> Pause(
        Guid id, ClaimsPrincipal caller, HttpRequest request, EndpointBook endpoints, CancellationToken cancellationToken) =>
        endpoints.Change(
            request,
            caller.ReceiverId(),
            id,
            endpoint => (endpoint.State, endpoint.DisabledReason) = (EndpointState.Paused, null),
            endpoint => TypedResults.Ok(endpoints.Show(endpoint)),
            cancellationToken);

    private static Task<IResult> Resume(
        Guid id, ClaimsPrincipal caller, HttpRequest request, EndpointBook endpoints, CancellationToken cancellationToken) =>
        endpoints.Change(
            request,
            caller.ReceiverId(),
            id,
            endpoint => (endpoint.State, endpoint.DisabledReason, endpoint.ThrottledUntil) = (EndpointState.Active, null, null),
            endpoint => TypedResults.Ok(endpoints.Show(endpoint)),
            cancellationToken);

    private static Task<IResult> Rotate(
        Guid id,
        RotateSecret? rotation,
        ClaimsPrincipal caller,
        HttpRequest request,
        EndpointBook endpoints,
        SecretBox box,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var key = WebhookSecret.Create();
        var grace = Grace.Of(rotation?.GraceSeconds);
        return endpoints.Change(
            request,
            caller.ReceiverId(),
            id,
            endpoint =>
            {
                endpoint.PreviousSecret = grace > TimeSpan.Zero ? endpoint.Secret : null;
                endpoint.PreviousSecretUntil = grace > TimeSpan.Zero ? time.UtcNow() + grace : null;
                endpoint.Secret = box.Seal(endpoint.Id, key);
            },
            endpoint => TypedResults.Ok(endpoints.Show(endpoint, key)),
            cancellationToken);
    }

    private static async Task<IResult> Test(
        Guid id, ClaimsPrincipal caller, EndpointBook endpoints, EventLog events, NotificationsDb db, CancellationToken cancellationToken)
    {
        var endpoint = await endpoints.Find(caller.ReceiverId(), id, cancellationToken);
        if (endpoint is null)
        {
            return EndpointBook.NotFound();
        }

        if (endpoint.State != EndpointState.Active)
        {
            return Problems.Of(
                StatusCodes.Status409Conflict, "endpoint-not-active", $"The endpoint is {endpoint.State.Text()}. Resume it first.");
        }

        var notificationId = await events.AddTest(endpoint, cancellationToken);
        await db.SaveChangesAsync(cancellationToken);
        return TypedResults.Accepted($"/v1/notifications/{notificationId}", new TestAnswer(notificationId));
    }
}

/// <summary>The answer to a test: the notification to look for, at the endpoint and here.</summary>
public sealed record TestAnswer(Guid NotificationId);
