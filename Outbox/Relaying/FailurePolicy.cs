using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>What a failed send means for its row.</summary>
internal sealed class FailurePolicy(OutboxOptions options)
{
    /// <summary>Whether the later messages of the key wait.</summary>
    public bool Holds(StoredMessage message, Outcome outcome) => outcome.Kind switch
    {
        OutcomeKind.Refused => !IsDead(message, outcome) || options.HoldKeyWhenDead,
        OutcomeKind.Unrouted => IsDead(message, outcome) ? options.HoldKeyWhenDead : options.HoldKeyWhileUnrouted,
        OutcomeKind.Unanswered => true,
        _ => false,
    };

    /// <summary>What is written down.</summary>
    /// <param name="message">The message, as it was read.</param>
    /// <param name="outcome">What became of the send.</param>
    /// <param name="now">The time (UTC).</param>
    public Failure Of(StoredMessage message, Outcome outcome, DateTime now)
    {
        var attempts = message.Attempts + (outcome.Kind == OutcomeKind.Refused ? 1 : 0);
        var returns = message.Returns + (outcome.Kind == OutcomeKind.Unrouted ? 1 : 0);
        var pause = outcome.Kind switch
        {
            OutcomeKind.Refused => BackOff.After(attempts, options.MinRetryDelay, options.MaxRetryDelay),
            OutcomeKind.Unrouted => BackOff.After(returns, options.MinRetryDelay, options.MaxUnroutedDelay),
            _ => options.MessageDeliveryTimeout,
        };
        var dead = IsDead(message, outcome);
        return new Failure(
            message.SequenceNumber, message.Attempts, message.Returns,
            dead ? OutboxMessageState.Dead : OutboxMessageState.Pending, dead ? null : now + pause, Holds(message, outcome),
            attempts, returns, dead ? now : null, ErrorText.Of(outcome.Error));
    }

    /// <summary>How long a row waits whose end the database has refused so many times to take down.</summary>
    public TimeSpan PauseAfterRefusals(int times) => BackOff.After(times, options.MinRetryDelay, options.MaxRetryDelay);

    private bool IsDead(StoredMessage message, Outcome outcome) => outcome.Kind switch
    {
        OutcomeKind.Refused => message.Attempts + 1 >= options.MaxAttempts,
        OutcomeKind.Unrouted => message.Returns + 1 >= options.MaxUnroutedAttempts,
        _ => false,
    };
}
