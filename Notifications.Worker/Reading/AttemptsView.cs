namespace Notifications;

/// <summary>What became of a notification's deliveries.</summary>
/// <param name="Deliveries">One per endpoint, as they stand now.</param>
/// <param name="Items">The attempts, oldest first; the newest 500 at most.</param>
public sealed record AttemptsView(IReadOnlyList<DeliveryView> Deliveries, IReadOnlyList<AttemptView> Items);

/// <summary>A delivery as the API shows it.</summary>
/// <param name="EndpointId">Where it goes.</param>
/// <param name="Status">A name of <see cref="DeliveryState"/>.</param>
/// <param name="Attempt">The number of the attempt that is next, under way, or was the last.</param>
/// <param name="NextAttemptAt">When the next attempt may begin; null when none will by itself.</param>
public sealed record DeliveryView(Guid EndpointId, string Status, int Attempt, DateTime? NextAttemptAt)
{
    public static DeliveryView Of(Delivery d) => new(d.EndpointId, d.State.Text(), d.Attempt, d.NextAttemptAt);
}

/// <summary>An attempt as the API shows it.</summary>
/// <param name="EndpointId">Where it went.</param>
/// <param name="Number">From 1, for this endpoint.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="DurationMilliseconds">How long it took.</param>
/// <param name="Outcome">A name of <see cref="AttemptOutcome"/>.</param>
/// <param name="StatusCode">The HTTP status; null when there was no answer.</param>
/// <param name="Answer">The answer's first kilobyte.</param>
/// <param name="Error">Why it failed, for people.</param>
/// <param name="NextAttemptAt">When the next one was to begin; null when none followed.</param>
public sealed record AttemptView(
    Guid EndpointId,
    int Number,
    DateTime StartedAt,
    int DurationMilliseconds,
    string Outcome,
    int? StatusCode,
    string? Answer,
    string? Error,
    DateTime? NextAttemptAt)
{
    public static AttemptView Of(DeliveryAttempt a, Guid endpointId) => new(
        endpointId, a.Number, a.StartedAt, a.DurationMilliseconds, a.Outcome.Text(), a.StatusCode, a.Answer, a.Error, a.NextAttemptAt);
}
