namespace Outbox.Databases;

/// <summary>The relay's statements about messages, built once.</summary>
internal sealed class MessageStatements(SqlDialect dialect)
{
    private static readonly string[] Columns =
    [
        nameof(OutboxMessage.SequenceNumber), nameof(OutboxMessage.Partition), nameof(OutboxMessage.KeyHash), nameof(OutboxMessage.Attempts),
        nameof(OutboxMessage.Returns), nameof(OutboxMessage.MessageId), nameof(OutboxMessage.ConversationId), nameof(OutboxMessage.CorrelationId),
        nameof(OutboxMessage.MessageType), nameof(OutboxMessage.DestinationAddress), nameof(OutboxMessage.ContentType), nameof(OutboxMessage.ExpiresAt),
        nameof(OutboxMessage.Metadata), nameof(OutboxMessage.Size), nameof(OutboxMessage.Body),
    ];

    /// <inheritdoc cref="SqlDialect.Read"/>
    public string Read { get; } = dialect.Read;

    /// <summary>When the next row of <c>@partitions</c> enters, or entered already.</summary>
    public string NextDue { get; } =
        $"""
        SELECT min({Message(dialect, nameof(OutboxMessage.DueAt))}) FROM {dialect.Tables.Message}
        WHERE {Message(dialect, nameof(OutboxMessage.DueAt))} IS NOT NULL
          AND {dialect.IsIn(Message(dialect, nameof(OutboxMessage.Partition)), "@partitions")}
        """;

    /// <summary>Makes at most <c>@limit</c> rows ready that are due at <c>@now</c>, and releases the keys that they held.</summary>
    public string Promote { get; } = PromoteText(dialect, dialect.Tables.Message);

    /// <summary>The highest ready row of each of <c>@partitions</c>, from the end of the index.</summary>
    public string Tops { get; } = TopsText(dialect, dialect.Tables.Message, dialect.Tables.Lease);

    /// <summary>Deletes the rows <c>@ids</c>.</summary>
    public string Delete { get; } =
        $"""
        DELETE FROM {dialect.Tables.Message}
        WHERE {dialect.IsIn(Message(dialect, nameof(OutboxMessage.SequenceNumber)), "@ids")}
        """;

    /// <summary>Writes down a failed send, unless somebody else has written about the row since it was read.</summary>
    public string RecordFailure { get; } = RecordFailureText(dialect.Tables.Message);

    /// <summary>The columns that <see cref="SqlDialect.Read"/> returns, in their order.</summary>
    public static string ColumnsOf(Table table, string alias) => string.Join(", ", Columns.Select(c => $"{alias}.{table[c]}"));

    private static string Message(SqlDialect dialect, string property) => dialect.Tables.Message[property];

    private static string PromoteText(SqlDialect dialect, Table m)
    {
        var (sequence, due) = (m[nameof(OutboxMessage.SequenceNumber)], m[nameof(OutboxMessage.DueAt)]);
        return $"""
            UPDATE {m} SET {due} = NULL, {m[nameof(OutboxMessage.Holds)]} = FALSE
            WHERE {due} <= @now AND {sequence} IN (
              SELECT {sequence} FROM {m}
              WHERE {due} <= @now AND {dialect.IsIn(m[nameof(OutboxMessage.Partition)], "@partitions")}
              ORDER BY {due}, {sequence}
              LIMIT @limit)
            RETURNING {m[nameof(OutboxMessage.Partition)]}, {sequence}
            """;
    }

    private static string TopsText(SqlDialect dialect, Table m, Table lease)
    {
        var (sequence, partition) = (m[nameof(OutboxMessage.SequenceNumber)], lease[nameof(OutboxLease.Partition)]);
        return $"""
            SELECT l.{partition}, (
              SELECT max(m.{sequence}) FROM {m} m
              WHERE m.{m[nameof(OutboxMessage.Partition)]} = l.{partition} AND m.{m[nameof(OutboxMessage.State)]} = 0 AND m.{m[nameof(OutboxMessage.DueAt)]} IS NULL)
            FROM {lease} l
            WHERE {dialect.IsIn($"l.{partition}", "@partitions")}
            """;
    }

    private static string RecordFailureText(Table m) =>
        $"""
        UPDATE {m}
        SET {m[nameof(OutboxMessage.State)]} = @state, {m[nameof(OutboxMessage.DueAt)]} = @due, {m[nameof(OutboxMessage.Holds)]} = @holds,
            {m[nameof(OutboxMessage.Attempts)]} = @attempts, {m[nameof(OutboxMessage.Returns)]} = @returns,
            {m[nameof(OutboxMessage.ClosedAt)]} = @closed, {m[nameof(OutboxMessage.LastError)]} = @error
        WHERE {m[nameof(OutboxMessage.SequenceNumber)]} = @id AND {m[nameof(OutboxMessage.State)]} = 0
          AND {m[nameof(OutboxMessage.Attempts)]} = @seenAttempts AND {m[nameof(OutboxMessage.Returns)]} = @seenReturns
        """;
}
