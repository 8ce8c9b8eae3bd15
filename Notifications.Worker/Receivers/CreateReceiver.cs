using FluentValidation;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>The body of <c>POST /v1/receivers</c>.</summary>
/// <param name="Name">1 to 64 characters, unique.</param>
/// <param name="EventTypes">What it may be told of; absent: everything.</param>
public sealed record CreateReceiver(string? Name, IReadOnlyList<string>? EventTypes);

/// <summary>Its answer, the only one with the key.</summary>
public sealed record CreatedReceiver(Guid Id, string Name, IReadOnlyList<string>? EventTypes, DateTime CreatedAt, string ApiKey);

internal sealed class CreateReceiverValidator : AbstractValidator<CreateReceiver>
{
    public CreateReceiverValidator(EventCatalogue catalogue)
    {
        RuleLevelCascadeMode = CascadeMode.Stop;
        RuleFor(r => r.Name).NotEmpty().MaximumLength(Receiver.MaxName)
            .Must(name => !name!.Any(char.IsControl)).WithMessage("'{PropertyName}' must not hold control characters.").WithName("name");
        RuleFor(r => r.EventTypes).Must(types => types is not { Count: 0 })
            .WithMessage("'{PropertyName}' must not be empty. Leave it out for everything.").WithName("eventTypes");
        RuleForEach(r => r.EventTypes).Must(catalogue.Knows).WithMessage(_ => $"must be one of {catalogue}.");
    }
}

internal static class CreateReceiverEndpoint
{
    public static void MapCreateReceiver(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/receivers", Create).Validate<CreateReceiver>();

    private static async Task<IResult> Create(
        CreateReceiver request, NotificationsDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var key = ApiKey.Create();
        var receiver = new Receiver
        {
            Id = NewId.NextGuid(),
            Name = request.Name!,
            ApiKeyHash = ApiKey.Hash(key),
            EventTypes = request.EventTypes is null ? null : EventTypeList.Write(request.EventTypes),
            CreatedAt = time.UtcNow(),
        };
        db.Receivers.Add(receiver);
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException exception) when (exception.IsDuplicateKey())
        {
            return Problems.Of(StatusCodes.Status409Conflict, "duplicate-name", "There is a receiver with this name.");
        }

        return TypedResults.Created(
            (string?)null,
            new CreatedReceiver(receiver.Id, receiver.Name, EventTypeList.Read(receiver.EventTypes), receiver.CreatedAt, key));
    }
}
