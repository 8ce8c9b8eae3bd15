using Contracts;
using FluentValidation;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using ServiceDefaults;

namespace Users;

/// <summary>The body of <c>POST /users</c>.</summary>
public sealed record RegisterUser(string? UserName, string? Email);

internal sealed class RegisterUserValidator : AbstractValidator<RegisterUser>
{
    public RegisterUserValidator()
    {
        RuleLevelCascadeMode = CascadeMode.Stop;
        RuleFor(r => r.UserName).NotEmpty().Length(User.MinName, User.MaxName).Must(BeText)
            .WithMessage("'{PropertyName}' must not hold control characters.").WithName("userName");
        RuleFor(r => r.Email).NotEmpty().MaximumLength(User.MaxEmail).EmailAddress().Must(HoldNoSpace)
            .WithMessage("'{PropertyName}' must not hold spaces or control characters.").WithName("email");
    }

    private static bool BeText(string? value) => value is not null && !value.Any(char.IsControl);

    private static bool HoldNoSpace(string? value) => BeText(value) && !value!.Any(char.IsWhiteSpace);
}

internal static class RegisterUserEndpoint
{
    private const string Path = "/users";

    public static void MapRegisterUser(this IEndpointRouteBuilder routes) =>
        routes.MapPost(Path, Register).Validate<RegisterUser>();

    private static async Task<IResult> Register(
        RegisterUser request,
        HttpRequest http,
        UsersDb db,
        IOutbox<UsersDb> outbox,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var idempotency = IdempotencyKey.Read(http.Headers, $"POST {Path}", request);
        if (await idempotency.FindAnswer(db, cancellationToken) is { } given)
        {
            return given;
        }

        var user = new User
        {
            Id = NewId.NextGuid(),
            UserName = request.UserName!,
            Email = request.Email!,
            EmailKey = User.KeyOf(request.Email!),
            RegisteredAt = time.UtcNow(),
        };
        if (await db.Users.AnyAsync(u => u.EmailKey == user.EmailKey, cancellationToken))
        {
            return await SomebodyWasFaster();
        }

        var answer = Answer.Created($"{Path}/{user.Id}", UserView.Of(user));
        db.Users.Add(user);
        await outbox.Publish(
            new UserRegistered(user.Id, user.UserName, user.Email, user.RegisteredAt), cancellationToken);
        idempotency.KeepAnswer(db, answer, time.UtcNow());
        try
        {
            await db.SaveChangesAsync(cancellationToken);   // the user, what is said about it, and the answer: all or nothing
            return answer;
        }
        catch (DbUpdateException exception) when (exception.IsDuplicateKey())
        {
            return await SomebodyWasFaster();
        }

        // A twin of this very request, whose answer is ours too; or somebody with the same address.
        async Task<IResult> SomebodyWasFaster() =>
            await idempotency.FindAnswer(db, cancellationToken)
            ?? Problems.Of(StatusCodes.Status409Conflict, "duplicate-email", "Somebody has registered with this address.");
    }
}
