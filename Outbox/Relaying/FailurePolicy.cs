using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>What a failed send means for its row.</summary>
internal sealed class FailurePolicy(OutboxOptions options)
{
    private const int LongestError = 2048;

    /// <summary>Whether the later messages of the key wait.</summary>
    public bool Holds(StoredMessage message, Outcome outcome) => outcome.Kind switch
    {
        OutcomeKind.Refused => IsDead(message, outcome) ? options.HoldKeyWhenDead : true,
        OutcomeKind.Unrouted => IsDead(message, outcome) ? options.HoldKeyWhenDead : options.HoldKeyWhileUnrouted,
        _ => false,
    };

    /// <summary>What is written down.</summary>
    /// <param name="message">The message, as it was read.</param>
    /// <param name="outcome">A refusal or a return.</param>
    /// <param name="now">The time (UTC).</param>
    public Failure Of(StoredMessage message, Outcome outcome, DateTime now)
    {
        var unrouted = outcome.Kind == OutcomeKind.Unrouted;
        var attempts = message.Attempts + (unrouted ? 0 : 1);
        var returns = message.Returns + (unrouted ? 1 : 0);
        var pause = unrouted
            ? BackOff.After(returns, options.MinRetryDelay, options.MaxUnroutedDelay)
            : BackOff.After(attempts, options.MinRetryDelay, options.MaxRetryDelay);
        var dead = IsDead(message, outcome);
        return new Failure(
            message.SequenceNumber, message.Attempts, message.Returns,
            dead ? OutboxMessageState.Dead : OutboxMessageState.Pending, dead ? null : now + pause, Holds(message, outcome),
            attempts, returns, dead ? now : null, Describe(outcome.Error));
    }

    private bool IsDead(StoredMessage message, Outcome outcome) => outcome.Kind == OutcomeKind.Unrouted
        ? message.Returns + 1 >= options.MaxUnroutedAttempts
        : message.Attempts + 1 >= options.MaxAttempts;

    private static string Describe(Exception? error)
    {
        var text = error is null ? "" : $"{error.GetType().Name}: {error.Message}";
        return text.Length <= LongestError ? text : text[..LongestError];
    }
}
