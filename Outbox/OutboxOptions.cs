using System.Data;

namespace Outbox;

/// <summary>How an outbox relays and an inbox remembers. Every duration is a <see cref="TimeSpan"/>; every default is safe.</summary>
public sealed class OutboxOptions
{
    /// <summary>How often an idle relay looks for rows that another process stored. Default 1 s, with a jitter.</summary>
    public TimeSpan QueryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The most rows that one read returns. Default 1,000.</summary>
    public int QueryMessageLimit { get; set; } = 1000;

    /// <summary>The most bytes of bodies that one read returns; a larger single row is still read, alone. Default 8 MiB.</summary>
    public int QueryByteLimit { get; set; } = 8 * 1024 * 1024;

    /// <summary>How long a database command of the relay may take. Default 30 s.</summary>
    public TimeSpan QueryTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The most messages that are on their way to the broker at a time. Default 1,000.</summary>
    public int MessageDeliveryLimit { get; set; } = 1000;

    /// <summary>How long the broker may take to confirm a message; afterwards it is sent again. Default 30 s.</summary>
    public TimeSpan MessageDeliveryTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Into how many parts the outbox is split, and so among how many replicas its work can be shared. Default 16.
    /// Fixed when the tables are first used; starting with another number is an error that says how to change it.
    /// </summary>
    public int PartitionCount { get; set; } = 16;

    /// <summary>How often a replica shows that it lives. Default 3 s.</summary>
    public TimeSpan BeatPeriod { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a replica may be silent before the others take its partitions. Default 10 s; at least three beats.</summary>
    public TimeSpan LeaseTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How far a read goes back behind the last row seen, to find the rows of transactions that committed late. Default
    /// 5 s. Rows that are later still are found by an occasional full look.
    /// </summary>
    public TimeSpan LookBack { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>After how many failed sends that count a message is dead. Default 10.</summary>
    public int MaxAttempts { get; set; } = 10;

    /// <summary>The pause after the first failed send; it doubles up to <see cref="MaxRetryDelay"/>. Default 1 s.</summary>
    public TimeSpan MinRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest pause between two sends of a failing message. Default 5 min.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest pause between two sends of a message that no queue is bound to. Default 30 s.</summary>
    public TimeSpan MaxUnroutedDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>After how many sends a message that no queue is bound to is dead. Default: never.</summary>
    public int? MaxUnroutedAttempts { get; set; }

    /// <summary>Whether the later messages of a key wait while an earlier one has no queue bound to it. Default: no.</summary>
    public bool HoldKeyWhileUnrouted { get; set; }

    /// <summary>Whether the later messages of a key wait for an operator when an earlier one is dead. Default: no.</summary>
    public bool HoldKeyWhenDead { get; set; }

    /// <summary>The largest body, in bytes, that is captured; a larger one is refused with an exception. Default 16 MiB, the default limit of RabbitMQ 4.</summary>
    public int MaxBodySize { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// How long, in time that the process runs, a sent message is kept. Default: not at all. For transports that forget
    /// what they hold when the process dies, together with <see cref="RedeliverOnStart"/>.
    /// </summary>
    public TimeSpan? KeepDelivered { get; set; }

    /// <summary>Whether the messages that were kept are sent again when the process starts. Default: no.</summary>
    public bool RedeliverOnStart { get; set; }

    /// <summary>How long the inbox remembers a message. Default 1 day.</summary>
    public TimeSpan DuplicateDetectionWindow { get; set; } = TimeSpan.FromDays(1);

    /// <summary>The isolation level of the inbox's transaction. Default <see cref="IsolationLevel.ReadCommitted"/>, which is enough.</summary>
    public IsolationLevel IsolationLevel { get; set; } = IsolationLevel.ReadCommitted;

    /// <summary>How long after the <c>Prepare</c> of a half message its first check-back happens. Default 6 s.</summary>
    public TimeSpan CheckBackDelay { get; set; } = TimeSpan.FromSeconds(6);

    /// <summary>The pause after the first check-back; it doubles with every one up to <see cref="MaxCheckBackInterval"/>. Default 30 s.</summary>
    public TimeSpan CheckBackInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest pause between two check-backs of a half message. Default 10 min.</summary>
    public TimeSpan MaxCheckBackInterval { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// After how many check-backs that answered <see cref="CheckBackAnswer.Unknown"/> a half message is undecided and
    /// waits for an operator. A check-back without an answer does not count. Default 15.
    /// </summary>
    public int CheckBackLimit { get; set; } = 15;

    /// <summary>How long a check-back may take; afterwards it counts as not answered. Default 10 s.</summary>
    public TimeSpan CheckTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The most check-backs of one message type that this process runs at a time. Default 8.</summary>
    public int ConcurrentChecks { get; set; } = 8;

    /// <summary>How long the decision about a half message is remembered, to refuse a late one that contradicts it. Default 7 days.</summary>
    public TimeSpan DecisionRetention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Whether this process relays. Default: yes.</summary>
    public bool DeliveryServiceEnabled { get; set; } = true;

    /// <summary>Whether this process deletes the inbox's expired rows. Default: yes.</summary>
    public bool InboxCleanupServiceEnabled { get; set; } = true;

    internal PartitionKeys PartitionKeys { get; } = new();

    internal HashSet<Type> UnroutedAllowed { get; } = [];

    internal CheckBacks CheckBacks { get; } = new();

    /// <summary>What is wrong with the values, one sentence each.</summary>
    internal IEnumerable<string> Problems()
    {
        (string Name, TimeSpan Value)[] positive =
        [
            (nameof(QueryDelay), QueryDelay), (nameof(QueryTimeout), QueryTimeout), (nameof(MessageDeliveryTimeout), MessageDeliveryTimeout),
            (nameof(BeatPeriod), BeatPeriod), (nameof(LeaseTime), LeaseTime), (nameof(LookBack), LookBack),
            (nameof(MinRetryDelay), MinRetryDelay), (nameof(MaxRetryDelay), MaxRetryDelay), (nameof(MaxUnroutedDelay), MaxUnroutedDelay),
            (nameof(DuplicateDetectionWindow), DuplicateDetectionWindow), (nameof(KeepDelivered), KeepDelivered ?? TimeSpan.MaxValue),
            (nameof(DecisionRetention), DecisionRetention),
        ];
        foreach (var (name, value) in positive.Where(p => p.Value <= TimeSpan.Zero))
            yield return $"{name} must be positive; found {value}.";

        (string Name, int Value, int Most)[] counts =
        [
            (nameof(QueryMessageLimit), QueryMessageLimit, 10_000), (nameof(QueryByteLimit), QueryByteLimit, int.MaxValue),
            (nameof(MessageDeliveryLimit), MessageDeliveryLimit, 100_000), (nameof(PartitionCount), PartitionCount, 1024),
            (nameof(MaxAttempts), MaxAttempts, int.MaxValue), (nameof(MaxBodySize), MaxBodySize, int.MaxValue),
            (nameof(MaxUnroutedAttempts), MaxUnroutedAttempts ?? 1, int.MaxValue),
        ];
        foreach (var (name, value, most) in counts.Where(c => c.Value < 1 || c.Value > c.Most))
            yield return $"{name} must be from 1 to {most}; found {value}.";

        foreach (var problem in new CheckBackOptions(this).Problems().Concat(CheckBacks.Problems()))
            yield return problem;

        if (LeaseTime < 3 * BeatPeriod)
            yield return $"{nameof(LeaseTime)} must be at least three times {nameof(BeatPeriod)}; found {LeaseTime} and {BeatPeriod}.";
        if (MaxRetryDelay < MinRetryDelay)
            yield return $"{nameof(MaxRetryDelay)} must not be shorter than {nameof(MinRetryDelay)}; found {MaxRetryDelay} and {MinRetryDelay}.";
        if (RedeliverOnStart && KeepDelivered is null)
            yield return $"{nameof(RedeliverOnStart)} needs {nameof(KeepDelivered)}: without it nothing is kept to be sent again.";
        if (RedeliverOnStart && DuplicateDetectionWindow <= KeepDelivered)
            yield return $"{nameof(DuplicateDetectionWindow)} must be longer than {nameof(KeepDelivered)}, or a message sent again at the start would be consumed twice; found {DuplicateDetectionWindow} and {KeepDelivered}.";
    }
}
