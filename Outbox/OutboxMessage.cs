namespace Outbox;

/// <summary>
/// An outgoing message, stored in the transaction of the work that it reports. The relay sends it and deletes it.
/// </summary>
/// <remarks>
/// A row is <em>ready</em> when it is <see cref="OutboxMessageState.Pending"/> and has no due time. Everything that
/// enters later (scheduled, backed off, requeued) has a due time until the relay promotes it by clearing it.
/// </remarks>
public sealed class OutboxMessage
{
    /// <summary>A due time that has come by every replica's clock, whoever writes it.</summary>
    internal static readonly DateTime AtOnce = DateTime.UnixEpoch;

    internal const int MaxPartitionKey = 256;
    internal const int MaxMessageType = 2048;
    internal const int MaxAddress = 1024;
    internal const int MaxContentType = 256;

    /// <summary>The order of sending within a key, given by the database.</summary>
    public long SequenceNumber { get; set; }

    /// <summary>Which part of the outbox the row belongs to: one replica of the service owns a partition at a time.</summary>
    public int Partition { get; set; }

    /// <summary>A stable hash of the partition key, or of the transaction when the message has no key. Rows of one hash keep their order.</summary>
    public long KeyHash { get; set; }

    /// <summary>The partition key as the sender chose it, for people; <see langword="null"/> when the transaction is the key.</summary>
    public string? PartitionKey { get; set; }

    /// <summary>Where the message stands.</summary>
    public OutboxMessageState State { get; set; }

    /// <summary>
    /// When the row becomes ready (UTC); <see langword="null"/> once it is. Of a prepared row: when the next check-back
    /// happens; <see langword="null"/> when none will, and an operator decides.
    /// </summary>
    public DateTime? DueAt { get; set; }

    /// <summary>Whether the later messages of the same key wait for this one.</summary>
    public bool Holds { get; set; }

    /// <summary>How many sends failed in a way that counts. Of a prepared row: how many check-backs answered <see cref="CheckBackAnswer.Unknown"/>.</summary>
    public int Attempts { get; set; }

    /// <summary>
    /// How many sends came back because no queue was bound; they do not count as attempts. Of a prepared row: how many
    /// check-backs in a row got no answer; they do not count either.
    /// </summary>
    public int Returns { get; set; }

    /// <summary>What the last failed send, or the last check-back without an answer, reported.</summary>
    public string? LastError { get; set; }

    /// <summary>When the message was captured (UTC).</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When the message was sent, died or was rolled back (UTC).</summary>
    public DateTime? ClosedAt { get; set; }

    /// <summary>The message id, fixed when it was captured: a repeated save or a repeated send carries the same one.</summary>
    public Guid MessageId { get; set; }

    /// <summary>The conversation the message belongs to.</summary>
    public Guid? ConversationId { get; set; }

    /// <summary>The correlation id.</summary>
    public Guid? CorrelationId { get; set; }

    /// <summary>The message's URNs, separated by semicolons, the most specific first.</summary>
    public string MessageType { get; set; } = "";

    /// <summary>Where the message goes.</summary>
    public string DestinationAddress { get; set; } = "";

    /// <summary>The media type of the body.</summary>
    public string ContentType { get; set; } = "";

    /// <summary>When the message loses its value (UTC); it is then deleted instead of sent.</summary>
    public DateTime? ExpiresAt { get; set; }

    /// <summary>What else the transport is told (addresses, headers, properties), as JSON.</summary>
    public string Metadata { get; set; } = "";

    /// <summary>The serialized message, exactly as it is sent.</summary>
    public byte[] Body { get; set; } = [];

    /// <summary>The length of the body in bytes, so that a batch can be limited without reading bodies.</summary>
    public int Size { get; set; }

    /// <summary>What happened to a half message, a JSON object a line, the oldest first; <see langword="null"/> for any other message.</summary>
    public string? History { get; set; }
}

/// <summary>Where an <see cref="OutboxMessage"/> stands.</summary>
public enum OutboxMessageState
{
    /// <summary>Waits to be sent.</summary>
    Pending = 0,

    /// <summary>Was sent, and is kept for a while (see <see cref="OutboxOptions.KeepDelivered"/>).</summary>
    Sent = 1,

    /// <summary>Could not be sent; an operator requeues or discards it.</summary>
    Dead = 2,

    /// <summary>A half message: seen by no consumer until it is committed.</summary>
    Prepared = 3,

    /// <summary>A half message that was rolled back: kept for <see cref="OutboxOptions.DecisionRetention"/>, so that a late commit is refused.</summary>
    RolledBack = 4,

    /// <summary>
    /// A half message that was committed and sent: kept without its body for <see cref="OutboxOptions.DecisionRetention"/>,
    /// so that a late decision finds what was decided.
    /// </summary>
    Committed = 5,
}
