using System.Security.Claims;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver has an endpoint told of what it missed; a job does it.</summary>
internal static class RecoverEndpoint
{
    public static void MapRecovering(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/endpoints/{id:guid}/recover", Begin).Validate<Recover>();
        routes.MapGet("/jobs/{id:guid}", Find);
    }

    private static async Task<IResult> Begin(
        Guid id,
        Recover request,
        ClaimsPrincipal caller,
        NotificationsDb db,
        EndpointBook endpoints,
        IOutbox<NotificationsDb> outbox,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        if (await endpoints.Find(caller.ReceiverId(), id, cancellationToken) is not { } endpoint)
        {
            return EndpointBook.NotFound();
        }

        // Locked until the commit: of two that are asked for at once, the second waits here, and then sees the first one's job.
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Endpoints.Where(e => e.Id == id).ExecuteUpdateAsync(set => set.SetProperty(e => e.Version, e => e.Version), cancellationToken);
        if (await db.Jobs.AnyAsync(j => j.EndpointId == id && j.State == JobState.Running, cancellationToken))
        {
            return Problems.Of(StatusCodes.Status409Conflict, "job-running", "A job recovers this endpoint already. Let it come to its end.");
        }

        _ = EnumText.TryRead<JobScope>(request.Scope, out var scope);
        var now = time.UtcNow();
        var job = new Job
        {
            Id = NewId.NextGuid(),
            EndpointId = id,
            ReceiverId = endpoint.ReceiverId,
            Scope = scope,
            Since = request.Since!.Value.UtcDateTime,
            Until = request.Until?.UtcDateTime ?? now,
            ProgressAt = now,
            CreatedAt = now,
        };
        db.Jobs.Add(job);
        await outbox.Send(ContinueJob.Address, new ContinueJob(job.Id, job.Part), cancellationToken);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return TypedResults.Accepted($"/v1/jobs/{job.Id}", JobView.Of(job));
    }

    private static async Task<IResult> Find(Guid id, ClaimsPrincipal caller, NotificationsDb db, CancellationToken cancellationToken)
    {
        var receiverId = caller.ReceiverId();
        var job = await db.Jobs.AsNoTracking().SingleOrDefaultAsync(j => j.Id == id && j.ReceiverId == receiverId, cancellationToken);
        return job is null ? Problems.NotFound("You have no such job.") : TypedResults.Ok(JobView.Of(job));
    }
}
