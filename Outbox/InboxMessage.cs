namespace Outbox;

/// <summary>
/// A message that a consumer has handled, or is handling: inserted in the transaction of the consumer's work, so that
/// a second delivery of the same message is recognised.
/// </summary>
public sealed class InboxMessage
{
    /// <summary>The id of the original message; a redelivered copy carries the same one.</summary>
    public Guid MessageId { get; set; }

    /// <summary>The consumer, message type and endpoint, as one id.</summary>
    public Guid ConsumerId { get; set; }

    /// <summary>The redelivery that is expected next: a delivery with a lower redelivery count is a duplicate.</summary>
    public int Pass { get; set; }

    /// <summary>When the message was handled (UTC); <see langword="null"/> while a redelivery is awaited.</summary>
    public DateTime? ConsumedAt { get; set; }

    /// <summary>When the row may be deleted (UTC).</summary>
    public DateTime ExpiresAt { get; set; }
}
