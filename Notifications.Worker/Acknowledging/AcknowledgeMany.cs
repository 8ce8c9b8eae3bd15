using FluentValidation;

namespace Notifications;

/// <summary>The body of <c>POST /v1/notifications/ack</c>.</summary>
/// <param name="Ids">1 to 100 notifications.</param>
public sealed record AcknowledgeMany(IReadOnlyList<Guid>? Ids);

/// <summary>Its answer.</summary>
/// <param name="Acknowledged">Those that are acknowledged, now or since before.</param>
/// <param name="NotFound">Those that are no notifications of the receiver's.</param>
public sealed record AcknowledgedMany(IReadOnlyList<Guid> Acknowledged, IReadOnlyList<Guid> NotFound);

internal sealed class AcknowledgeManyValidator : AbstractValidator<AcknowledgeMany>
{
    private const int Max = 100;

    public AcknowledgeManyValidator() => RuleFor(r => r.Ids).Cascade(CascadeMode.Stop).NotEmpty()
        .Must(ids => ids!.Count <= Max).WithMessage($"'ids' must hold {Max} at most.").WithName("ids");
}
