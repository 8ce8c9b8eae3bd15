using FluentValidation;
using Notifications.Sending;

namespace Notifications;

/// <summary>What a receiver says about an endpoint: the body of <c>POST /v1/endpoints</c>, and what <c>PATCH</c> changes.</summary>
/// <param name="Url">Where it is told.</param>
/// <param name="EventTypes">What it is told of.</param>
/// <param name="Description">For people.</param>
/// <param name="Headers">Sent along.</param>
/// <param name="RateLimit">The most attempts that begin in a second, 1 to 1,000; absent: no limit of its own.</param>
/// <param name="Schedule">A name from <see cref="RetrySchedule.Presets"/>; <c>standard</c> when absent.</param>
/// <param name="SuccessBody">The answer that means success; absent: any with a status of 2xx.</param>
public sealed record EndpointSettings(
    string? Url,
    IReadOnlyList<string>? EventTypes,
    string? Description,
    IReadOnlyDictionary<string, string?>? Headers,
    int? RateLimit,
    string? Schedule,
    string? SuccessBody);

internal sealed class EndpointSettingsValidator : AbstractValidator<EndpointSettings>
{
    private const int MaxRate = 1000;

    public EndpointSettingsValidator(EventCatalogue catalogue, AllowedDestinations destinations)
    {
        RuleLevelCascadeMode = CascadeMode.Stop;
        RuleFor(e => e.Url).Custom((url, context) => Report(context, EndpointUrl.Refuse(url, destinations)));
        RuleFor(e => e.EventTypes).NotEmpty().WithName("eventTypes");
        RuleForEach(e => e.EventTypes).Must(catalogue.Knows).WithMessage(_ => $"must be one of {catalogue}.");
        RuleFor(e => e.Description).MaximumLength(WebhookEndpoint.MaxDescription).Must(BeText)
            .WithMessage("must not hold control characters.").WithName("description");
        RuleFor(e => e.Headers).Custom((headers, context) => Report(context, EndpointHeaders.Refuse(headers)));
        RuleFor(e => e.RateLimit).InclusiveBetween(1, MaxRate).WithName("rateLimit");
        RuleFor(e => e.Schedule).Must(name => name is null || RetrySchedule.Presets.ContainsKey(name))
            .WithMessage($"must be one of {string.Join(", ", RetrySchedule.Presets.Keys)}.");
        RuleFor(e => e.SuccessBody).MaximumLength(WebhookEndpoint.MaxSuccessBody)
            .Must(body => body is null || (body.Trim().Length > 0 && BeText(body)))
            .WithMessage("must be text without control characters.").WithName("successBody");
    }

    private static bool BeText(string? value) => value is null || !value.Any(char.IsControl);

    private static void Report(ValidationContext<EndpointSettings> context, string? error)
    {
        if (error is not null)
        {
            context.AddFailure(error);
        }
    }
}
