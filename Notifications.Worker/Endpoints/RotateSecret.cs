using FluentValidation;

namespace Notifications;

/// <summary>The body of <c>POST /v1/endpoints/{id}/rotate-secret</c>, which may be absent.</summary>
/// <param name="GraceSeconds">How long deliveries are signed with the secret before, too: 0 to 604,800; 86,400 when absent.</param>
public sealed record RotateSecret(int? GraceSeconds);

internal sealed class RotateSecretValidator : AbstractValidator<RotateSecret>
{
    public RotateSecretValidator() => RuleFor(r => r.GraceSeconds).InclusiveBetween(0, Grace.Max).WithName("graceSeconds");
}
