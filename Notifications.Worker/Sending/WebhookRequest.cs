namespace Notifications.Sending;

/// <summary>One attempt, as it goes out.</summary>
/// <param name="Url">Where.</param>
/// <param name="Id"><c>webhook-id</c>: the same on every attempt.</param>
/// <param name="Body">The bytes.</param>
/// <param name="Keys">What signs: the endpoint's key, and during a rotation the one before.</param>
/// <param name="Headers">What the receiver wants to be sent along.</param>
/// <param name="TraceParent">The trace that caused it.</param>
public sealed record WebhookRequest(
    Uri Url, string Id, byte[] Body, IReadOnlyList<byte[]> Keys, IReadOnlyDictionary<string, string>? Headers = null, string? TraceParent = null);

/// <summary>What became of it.</summary>
/// <param name="Failure">Why there was no whole answer; null when there was one.</param>
/// <param name="StatusCode">The answer's status; null without one.</param>
/// <param name="Body">The answer's first bytes, at most <see cref="WebhookClient.MaxAnswer"/>.</param>
/// <param name="RetryAfter">How long the receiver asks to be left alone.</param>
/// <param name="Error">For people.</param>
public sealed record WebhookAnswer(
    AttemptOutcome? Failure, int? StatusCode = null, byte[]? Body = null, TimeSpan? RetryAfter = null, string? Error = null);
