namespace Outbox;

/// <summary>One thing that happened to a half message.</summary>
/// <param name="At">When (UTC).</param>
/// <param name="By">Which replica, or the operator's name.</param>
/// <param name="Kind">What.</param>
/// <param name="Detail">What a check that got no answer ran into.</param>
public sealed record HalfMessageEvent(DateTime At, string By, HalfMessageEventKind Kind, string? Detail = null);

/// <summary>What can happen to a half message.</summary>
public enum HalfMessageEventKind
{
    /// <summary>It was stored.</summary>
    Prepared = 0,

    /// <summary>A check-back answered <see cref="CheckBackAnswer.Unknown"/>.</summary>
    Unknown = 1,

    /// <summary>A check-back gave no answer: it threw, took too long, or there is none in that replica.</summary>
    NoAnswer = 2,

    /// <summary>It was committed.</summary>
    Committed = 3,

    /// <summary>It was rolled back.</summary>
    RolledBack = 4,

    /// <summary>An operator had it checked again.</summary>
    Rechecked = 5,
}
