using System.Data.Common;
using Outbox.Relaying;

namespace Outbox.Databases;

/// <summary>What one read returned.</summary>
internal sealed class ReadyRows(int byteLimit)
{
    private readonly List<StoredMessage> _messages = [];
    private string _messageType = "";
    private string _destination = "";
    private string _contentType = "";
    private string _metadata = "";
    private long _bytes;

    public IReadOnlyList<StoredMessage> Messages => _messages;

    /// <summary>There was more than the limit of bytes allows.</summary>
    public bool IsCut { get; private set; }

    /// <summary>When the next row enters, or entered already.</summary>
    public DateTime? NextDue { get; set; }

    /// <summary>How many replicas there are.</summary>
    public int Replicas { get; set; }

    /// <summary>
    /// Takes the rows until the limit of bytes; one larger than that is taken alone. A database that has cut the rows
    /// off itself says in a last column how many it found.
    /// </summary>
    public async Task AddAll(DbDataReader reader, CancellationToken cancellationToken)
    {
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var size = reader.GetInt32(13);
            _bytes += size;
            if (_bytes > byteLimit && _messages.Count > 0)
            {
                IsCut = true;
                return;
            }

            _messages.Add(Message(reader, size));
            IsCut = reader.FieldCount > 15 && _messages.Count < reader.GetInt64(15);
        }
    }

    // Rows that follow each other mostly say the same about themselves: one text serves them all while they wait.
    private static string Text(DbDataReader reader, int ordinal, ref string last)
    {
        var text = reader.GetString(ordinal);
        return text == last ? last : last = text;
    }

    private StoredMessage Message(DbDataReader reader, int size) => new()
    {
        SequenceNumber = reader.GetInt64(0),
        Partition = reader.GetInt32(1),
        KeyHash = reader.GetInt64(2),
        Attempts = reader.GetInt32(3),
        Returns = reader.GetInt32(4),
        MessageId = reader.GetGuid(5),
        ConversationId = reader.GetOptionalGuid(6),
        CorrelationId = reader.GetOptionalGuid(7),
        MessageType = Text(reader, 8, ref _messageType),
        DestinationAddress = Text(reader, 9, ref _destination),
        ContentType = Text(reader, 10, ref _contentType),
        ExpiresAt = reader.GetUtc(11),
        Metadata = Text(reader, 12, ref _metadata),
        Size = size,
        Body = reader.GetFieldValue<byte[]>(14),
    };
}
