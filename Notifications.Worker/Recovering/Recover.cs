using FluentValidation;

namespace Notifications;

/// <summary>The body of <c>POST /v1/endpoints/{id}/recover</c>.</summary>
/// <param name="Since">Of the notifications made at this time or later.</param>
/// <param name="Until">And made before this one; now when absent.</param>
/// <param name="Scope">A name of <see cref="JobScope"/>.</param>
public sealed record Recover(DateTimeOffset? Since, DateTimeOffset? Until, string? Scope);

internal sealed class RecoverValidator : AbstractValidator<Recover>
{
    public RecoverValidator()
    {
        RuleFor(r => r.Since).NotNull().WithName("since");
        RuleFor(r => r.Until).Must((request, until) => until is null || until > request.Since)
            .WithMessage("must be later than 'since'.").WithName("until");
        RuleFor(r => r.Scope).Must(scope => EnumText.TryRead<JobScope>(scope, out _))
            .WithMessage($"must be one of {EnumText.Names<JobScope>()}.").WithName("scope");
    }
}
