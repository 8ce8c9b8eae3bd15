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

    /// <summary>When the next row of <c>@partitions</c> enters, or entered already; and how many replicas there are.</summary>
    public string NextDue { get; } =
        $"""
        SELECT min({Message(dialect, nameof(OutboxMessage.DueAt))}), (SELECT count(*) FROM {dialect.Tables.Replica}) FROM {dialect.Tables.Message}{dialect.PassingLocks}
        WHERE {Message(dialect, nameof(OutboxMessage.State))} = 0 AND {Message(dialect, nameof(OutboxMessage.DueAt))} IS NOT NULL
          AND {dialect.IsIn(Message(dialect, nameof(OutboxMessage.Partition)), "@partitions")}
        """;

    /// <summary>Makes at most <c>@limit</c> rows ready that are due at <c>@now</c>, and releases the keys that they held.</summary>
    public string Promote { get; } = PromoteText(dialect, dialect.Tables.Message);

    /// <summary>The highest ready row of each of <c>@partitions</c>, from the end of the index.</summary>
    public string Tops { get; } = TopsText(dialect, dialect.Tables.Message, dialect.Tables.Lease);

    /// <summary>Deletes the rows <c>@ids</c>.</summary>
    public string Delete { get; } = dialect.DeleteListed(dialect.Tables.Message, Message(dialect, nameof(OutboxMessage.SequenceNumber)), "@ids");

    /// <summary>Writes down a failed send, unless somebody else has written about the row since it was read.</summary>
    public string RecordFailure { get; } = RecordFailureText(dialect.Tables.Message);

    /// <summary>Keeps the rows <c>@ids</c> as sent, since the first time that they were.</summary>
    public string Keep { get; } = KeepText(dialect, dialect.Tables.Message);

    /// <summary>The last of the rows that are kept.</summary>
    public string LastKept { get; } =
        $"SELECT max({Message(dialect, nameof(OutboxMessage.SequenceNumber))}) FROM {dialect.Tables.Message} WHERE {IsKept(dialect)}";

    /// <summary>The latest moment at which a row was kept, one that is being sent again included.</summary>
    public string LastClosed { get; } =
        $"SELECT max({Message(dialect, nameof(OutboxMessage.ClosedAt))}) FROM {dialect.Tables.Message} WHERE {Message(dialect, nameof(OutboxMessage.State))} IN (0, 1)";

    /// <summary>Writes the time onto the row <c>@id</c>, if it is kept.</summary>
    public string Tell { get; } =
        $"""
        UPDATE {dialect.Tables.Message} SET {Message(dialect, nameof(OutboxMessage.ClosedAt))} = @now
        WHERE {Message(dialect, nameof(OutboxMessage.SequenceNumber))} = @id AND {Message(dialect, nameof(OutboxMessage.State))} = 1
        """;

    /// <summary>Makes at most <c>@limit</c> of the rows pending again that are kept. When they were sent first stays written on them.</summary>
    public string Redeliver { get; } =
        $"""
        UPDATE {dialect.Tables.Message}
        SET {Message(dialect, nameof(OutboxMessage.State))} = 0
        WHERE {IsKept(dialect)} AND {Message(dialect, nameof(OutboxMessage.SequenceNumber))} IN (
          SELECT {Message(dialect, nameof(OutboxMessage.SequenceNumber))} FROM {dialect.Tables.Message}
          WHERE {IsKept(dialect)}
          ORDER BY {Message(dialect, nameof(OutboxMessage.SequenceNumber))}
          {dialect.Limit("@limit")})
        """;

    /// <summary>The last of the rows that are being sent again.</summary>
    public string LastRedelivered { get; } =
        $"""
        SELECT max({Message(dialect, nameof(OutboxMessage.SequenceNumber))}) FROM {dialect.Tables.Message}
        WHERE {Message(dialect, nameof(OutboxMessage.State))} = 0 AND {Message(dialect, nameof(OutboxMessage.ClosedAt))} IS NOT NULL
        """;

    /// <summary>Whether a ready row is left among those up to <c>@last</c>; one whose key is held cannot be waited for.</summary>
    public string AnyReadyUpTo { get; } = AnyReadyUpToText(dialect, dialect.Tables.Message);

    /// <summary>Deletes at most <c>@limit</c> kept rows that were sent by <c>@before</c>.</summary>
    public string DeleteKept { get; } =
        $"""
        DELETE FROM {dialect.Tables.Message}
        WHERE {Message(dialect, nameof(OutboxMessage.SequenceNumber))} IN (
          SELECT {Message(dialect, nameof(OutboxMessage.SequenceNumber))} FROM {dialect.Tables.Message}
          WHERE {IsKept(dialect)} AND {Message(dialect, nameof(OutboxMessage.ClosedAt))} <= @before
          ORDER BY {Message(dialect, nameof(OutboxMessage.SequenceNumber))}
          {dialect.Limit("@limit")})
        """;

    /// <summary>The columns that <see cref="SqlDialect.Read"/> returns, in their order.</summary>
    public static string ColumnsOf(Table table, string alias) => string.Join(", ", Columns.Select(c => $"{alias}.{table[c]}"));

    private static string Message(SqlDialect dialect, string property) => dialect.Tables.Message[property];

    // The second condition is the one by which the database recognises the index.
    private static string IsKept(SqlDialect dialect)
        => $"{Message(dialect, nameof(OutboxMessage.State))} = 1 AND {Message(dialect, nameof(OutboxMessage.State))} <> 0";

    private static string AnyReadyUpToText(SqlDialect dialect, Table m)
    {
        var (partition, key) = (m[nameof(OutboxMessage.Partition)], m[nameof(OutboxMessage.KeyHash)]);
        return $"""
            SELECT 1 FROM {m} m{dialect.PassingLocks}
            WHERE m.{m[nameof(OutboxMessage.State)]} = 0 AND m.{m[nameof(OutboxMessage.DueAt)]} IS NULL AND m.{m[nameof(OutboxMessage.SequenceNumber)]} <= @last
              AND NOT EXISTS (
                SELECT 1 FROM {m} h
                WHERE h.{m[nameof(OutboxMessage.Holds)]} = {dialect.True} AND h.{partition} = m.{partition} AND h.{key} = m.{key})
            {dialect.LimitAny("1")}
            """;
    }

    private static string KeepText(SqlDialect dialect, Table m) => dialect.UpdateListed(
        m,
        set: $"{m[nameof(OutboxMessage.State)]} = 1, {m[nameof(OutboxMessage.ClosedAt)]} = COALESCE({m[nameof(OutboxMessage.ClosedAt)]}, @now)",
        where: $"{m[nameof(OutboxMessage.State)]} = 0",
        m[nameof(OutboxMessage.SequenceNumber)], "@ids");

    private static string PromoteText(SqlDialect dialect, Table m)
    {
        var (sequence, state, due) = (m[nameof(OutboxMessage.SequenceNumber)], m[nameof(OutboxMessage.State)], m[nameof(OutboxMessage.DueAt)]);
        return dialect.UpdateReturning(
            m.Name + dialect.PassingLocks,
            set: $"{due} = NULL, {m[nameof(OutboxMessage.Holds)]} = {dialect.False}",
            where: $"""
                {state} = 0 AND {due} <= @now AND {sequence} IN (
                  SELECT {sequence} FROM {m}{dialect.PassingLocks}
                  WHERE {state} = 0 AND {due} <= @now AND {dialect.IsIn(m[nameof(OutboxMessage.Partition)], "@partitions")}
                  ORDER BY {due}, {sequence}
                  {dialect.Limit("@limit")}{dialect.SkipLocked})
                """,
            m[nameof(OutboxMessage.Partition)], sequence);
    }

    private static string TopsText(SqlDialect dialect, Table m, Table lease)
    {
        var (sequence, partition) = (m[nameof(OutboxMessage.SequenceNumber)], lease[nameof(OutboxLease.Partition)]);
        return $"""
            SELECT l.{partition}, (
              SELECT max(m.{sequence}) FROM {m} m{dialect.PassingLocks}
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
