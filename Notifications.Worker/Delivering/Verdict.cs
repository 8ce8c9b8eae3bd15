using System.Text;
using Notifications.Sending;

namespace Notifications.Delivering;

/// <summary>What follows from an attempt.</summary>
/// <param name="Outcome">What came of it.</param>
/// <param name="State">What becomes of the delivery.</param>
/// <param name="NextAttemptAt">When it is tried again; null when it is not.</param>
/// <param name="ThrottledUntil">Until when the whole endpoint is left alone.</param>
/// <param name="Error">Why it failed, for people.</param>
internal sealed record Verdict(AttemptOutcome Outcome, DeliveryState State, DateTime? NextAttemptAt = null, DateTime? ThrottledUntil = null, string? Error = null)
{
    private static readonly TimeSpan ThrottledFor = TimeSpan.FromSeconds(5);

    /// <summary>Whether the endpoint seems to be down, so that its other deliveries would fare no better.</summary>
    public bool IsDown { get; init; }

    /// <summary>Judges an answer, by what its endpoint counts as success.</summary>
    public static Verdict Of(WebhookAnswer answer, WebhookEndpoint endpoint, int step, DateTime now, double chance)
    {
        if (answer is { Failure: null, StatusCode: >= 200 and < 300 })
        {
            return IsSuccess(answer, endpoint)
                ? new Verdict(AttemptOutcome.Delivered, DeliveryState.Delivered)
                : Failed(AttemptOutcome.Refused, $"The answer was not '{endpoint.SuccessBody}'.");
        }

        return answer switch
        {
            { Failure: { } failure } => Failed(failure, answer.Error) with { IsDown = failure is AttemptOutcome.TimedOut or AttemptOutcome.Unreachable },
            { StatusCode: 410 } => new Verdict(AttemptOutcome.Gone, DeliveryState.Held, Error: "The endpoint answered 410 Gone."),
            { StatusCode: 429 or 502 or 503 or 504 } => Failed(AttemptOutcome.Refused, $"The endpoint answered {answer.StatusCode}.") with
            {
                ThrottledUntil = now + Least(answer.RetryAfter ?? ThrottledFor, RetrySchedule.MostAsked),
                IsDown = answer.StatusCode != 429,
            },
            _ => Failed(AttemptOutcome.Refused, $"The endpoint answered {answer.StatusCode}.") with { IsDown = answer.StatusCode >= 500 },
        };

        Verdict Failed(AttemptOutcome outcome, string? error) =>
            RetrySchedule.After(endpoint.Schedule, step, answer.RetryAfter, chance) is { } wait
                ? new Verdict(outcome, DeliveryState.Pending, now + wait, Error: error)
                : new Verdict(outcome, DeliveryState.Exhausted, Error: error);
    }

    private static bool IsSuccess(WebhookAnswer answer, WebhookEndpoint endpoint) =>
        endpoint.SuccessBody is null || Encoding.UTF8.GetString(answer.Body ?? []).Trim() == endpoint.SuccessBody.Trim();

    private static TimeSpan Least(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
