using System.Text.Json.Serialization;
using FluentValidation;

namespace Simulators;

/// <summary>A charge as the provider knows it.</summary>
/// <param name="Id">Chosen by whoever charges.</param>
/// <param name="Amount">0 when it was voided before it was ever asked for.</param>
/// <param name="State">What became of it.</param>
public sealed record Charge(string Id, long Amount, ChargeState State);

/// <summary>What became of a charge.</summary>
[JsonConverter(typeof(KebabCase<ChargeState>))]
public enum ChargeState
{
    /// <summary>The money was taken.</summary>
    Charged,

    /// <summary>It was refused, for good.</summary>
    Declined,

    /// <summary>The money was given back, or will never be taken.</summary>
    Voided,
}

/// <summary>The body of <c>POST /payments/charges</c>.</summary>
[JsonNumberHandling(JsonNumberHandling.Strict)]
public sealed record ChargeRequest(string? Id, long? Amount);

internal sealed class ChargeRequestValidator : AbstractValidator<ChargeRequest>
{
    private const int MaxId = 100;

    public ChargeRequestValidator()
    {
        RuleLevelCascadeMode = CascadeMode.Stop;
        RuleFor(r => r.Id).NotEmpty().MaximumLength(MaxId).Must(id => id!.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            .WithMessage("'{PropertyName}' must be made of letters, digits, '-' and '_'.").WithName("id");
        RuleFor(r => r.Amount).NotNull().GreaterThanOrEqualTo(1).WithName("amount");
    }
}
