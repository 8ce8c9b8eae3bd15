namespace Outbox.Relaying;

/// <summary>What became of one send, and what the transport said.</summary>
internal readonly record struct Outcome(OutcomeKind Kind, Exception? Error = null)
{
    public static readonly Outcome Confirmed = new(OutcomeKind.Confirmed);

    public static readonly Outcome Expired = new(OutcomeKind.Expired);

    public static readonly Outcome NotStarted = new(OutcomeKind.NotStarted);
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

    /// <summary>The channel or the connection broke, or time ran out: nobody knows whose fault it was.</summary>
    Interrupted,

    /// <summary>It never reached the transport.</summary>
    NotStarted,
}
