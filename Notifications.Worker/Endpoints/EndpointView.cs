namespace Notifications;

/// <summary>An endpoint as the API shows it.</summary>
/// <param name="Headers">The names of the headers that are sent along; their values are not told. Null when they cannot be opened.</param>
/// <param name="Status">A name of <see cref="EndpointState"/>.</param>
/// <param name="DisabledReason">Why it is disabled.</param>
/// <param name="ThrottledUntil">When it asked for patience: until then no attempt begins.</param>
/// <param name="PreviousSecretUntil">Until when deliveries are signed with the secret before, too.</param>
/// <param name="Secret">Told once: when it was made. Null in every other answer.</param>
public sealed record EndpointView(
    Guid Id,
    string Url,
    IReadOnlyList<string> EventTypes,
    string? Description,
    IReadOnlyList<string>? Headers,
    int? RateLimit,
    string Schedule,
    string? SuccessBody,
    string Status,
    string? DisabledReason,
    DateTime? ThrottledUntil,
    DateTime? PreviousSecretUntil,
    DateTime CreatedAt,
    DateTime UpdatedAt,
    string? Secret);
