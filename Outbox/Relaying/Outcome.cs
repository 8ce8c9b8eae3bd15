namespace Outbox.Relaying;

/// <summary>What became of one send, and what the transport said.</summary>
/// <param name="Kind">Which of them.</param>
/// <param name="Error">What the transport said.</param>
/// <param name="BreaksChannel">Whether the message, sent alone, broke the channel: it never goes together with others again.</param>
internal readonly record struct Outcome(OutcomeKind Kind, Exception? Error = null, bool BreaksChannel = false)
{
    public static readonly Outcome Confirmed = new(OutcomeKind.Confirmed);

    public static readonly Outcome Expired = new(OutcomeKind.Expired);

    /// <summary>Whether the row is done with.</summary>
    public bool IsDone => Kind is OutcomeKind.Confirmed or OutcomeKind.Expired;

    /// <summary>Whether it says nothing about the message: the message goes back to its place.</summary>
    public bool IsOpen => Kind is OutcomeKind.Interrupted or OutcomeKind.NotStarted;
}

/// <summary>What became of one send.</summary>
internal enum OutcomeKind
{
    /// <summary>The broker has it.</summary>
    Confirmed,

    /// <summary>It had lost its value before it was sent.</summary>
    Expired,

    /// <summary>The broker gave it back: no queue is bound.</summary>
    Unrouted,

    /// <summary>The broker refused it, or it cannot be sent as it is. Counts as an attempt.</summary>
    Refused,

    /// <summary>The broker did not answer in time, although it answered for others.</summary>
    Unanswered,

    /// <summary>The channel or the connection broke, or nothing at all was answered: nobody knows whose fault it was.</summary>
    Interrupted,

    /// <summary>It never reached the transport.</summary>
    NotStarted,
}
