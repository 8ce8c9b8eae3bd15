namespace Outbox.Relaying;

/// <summary>A row as the relay reads it: what it takes to send the message once and to write down what became of it.</summary>
internal sealed class StoredMessage
{
    public required long SequenceNumber { get; init; }

    public required int Partition { get; init; }

    public required long KeyHash { get; init; }

    public int Attempts { get; init; }

    public int Returns { get; init; }

    public required Guid MessageId { get; init; }

    public Guid? ConversationId { get; init; }

    public Guid? CorrelationId { get; init; }

    public required string MessageType { get; init; }

    public required string DestinationAddress { get; init; }

    public required string ContentType { get; init; }

    public DateTime? ExpiresAt { get; init; }

    public required string Metadata { get; init; }

    public int Size { get; init; }

    public required byte[] Body { get; init; }

    /// <summary>The metadata, read.</summary>
    /// <exception cref="System.Text.Json.JsonException">The metadata is not what was stored.</exception>
    public StoredMetadata Stored => field ??= StoredMetadata.Of(this);

    /// <summary>Whether it was a half message: its row stays for a while once it is done with.</summary>
    public bool IsHalf
    {
        get
        {
            try
            {
                return Stored.Metadata.Half;
            }
            catch (System.Text.Json.JsonException)
            {
                return false;                                // never sent, and expired
            }
        }
    }

    public bool IsExpired(DateTime now) => ExpiresAt <= now;
}
