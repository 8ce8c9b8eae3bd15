using FluentValidation;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>The body of <c>POST /v1/receivers/{id}/rotate-key</c>, which may be absent.</summary>
/// <param name="GraceSeconds">How long the key before is good, too: 0 to 604,800; 86,400 when absent. 0 for a key that got into wrong hands.</param>
public sealed record RotateKey(int? GraceSeconds);

/// <summary>Its answer, the only one with the key.</summary>
/// <param name="PreviousKeyUntil">Until when the key before is good; null: not any more.</param>
public sealed record RotatedKey(Guid Id, string Name, string ApiKey, DateTime? PreviousKeyUntil);

internal sealed class RotateKeyValidator : AbstractValidator<RotateKey>
{
    public RotateKeyValidator() => RuleFor(r => r.GraceSeconds).InclusiveBetween(0, Grace.Max).WithName("graceSeconds");
}

internal static class RotateKeyEndpoint
{
    public static void MapRotateKey(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/receivers/{id:guid}/rotate-key", Rotate).Validate<RotateKey>();

    private static async Task<IResult> Rotate(
        Guid id, RotateKey? request, NotificationsDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var name = await db.Receivers.Where(r => r.Id == id).Select(r => r.Name).SingleOrDefaultAsync(cancellationToken);
        switch (name)
        {
            case null:
                return Problems.NotFound("There is no such receiver.");
            case RegisterDefaultReceiver.Name:
                return Problems.Of(
                    StatusCodes.Status409Conflict,
                    "configured-key",
                    $"The key of '{name}' is that of the configuration: change {Settings.EnvironmentName(ApiKey.Setting)} and start anew.");
        }

        var (key, grace) = (ApiKey.Create(), Grace.Of(request?.GraceSeconds));
        DateTime? until = grace > TimeSpan.Zero ? time.UtcNow() + grace : null;

        // One statement, which reads what it replaces: of two at once each hands on the key that it found.
        await db.Receivers.Where(r => r.Id == id).ExecuteUpdateAsync(
            set => set
                .SetProperty(r => r.PreviousApiKeyHash, r => until == null ? null : r.ApiKeyHash)
                .SetProperty(r => r.PreviousApiKeyUntil, until)
                .SetProperty(r => r.ApiKeyHash, ApiKey.Hash(key)),
            cancellationToken);
        return TypedResults.Ok(new RotatedKey(id, name, key, until));
    }
}
