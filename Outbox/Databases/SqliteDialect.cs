using System.Data.Common;

namespace Outbox.Databases;

/// <summary>SQLite: a list is a JSON array, and a read visits one partition.</summary>
internal sealed class SqliteDialect(OutboxTables tables) : SqlDialect(tables)
{
    public override object List(IReadOnlyCollection<long> values) => JsonList(values);

    public override string IsIn(string column, string list) => $"{column} IN (SELECT value FROM json_each({list}))";

    public override bool ReadsManyPartitions => false;

    public override string? DatabaseFile => "SELECT file FROM pragma_database_list WHERE name = 'main'";

    // No running total: rows are computed one by one as the reader asks for them, so it simply stops asking.
    public override string Read
    {
        get
        {
            var m = Tables.Message;
            var (sequence, partition, key) = (m[nameof(OutboxMessage.SequenceNumber)], m[nameof(OutboxMessage.Partition)], m[nameof(OutboxMessage.KeyHash)]);
            return $"""
                SELECT {MessageStatements.ColumnsOf(m, "m")}
                FROM {m} m
                WHERE m.{partition} = @partitions AND m.{sequence} > @after
                  AND m.{m[nameof(OutboxMessage.State)]} = 0 AND m.{m[nameof(OutboxMessage.DueAt)]} IS NULL
                  AND NOT {IsIn($"m.{sequence}", "@known")} AND NOT {IsIn($"m.{key}", "@full")}
                  AND NOT EXISTS (
                    SELECT 1 FROM {m} h
                    WHERE h.{m[nameof(OutboxMessage.Holds)]} = {True} AND h.{partition} = m.{partition} AND h.{key} = m.{key})
                ORDER BY m.{sequence}
                LIMIT @take
                """;
        }
    }

    public override string? InboxClaimMany
        => ClaimMany("(SELECT m.value AS id, p.value AS pass FROM json_each(@messages) m JOIN json_each(@passes) p ON p.key = m.key) l");

    // In the letters in which the driver stores them.
    public override object List(IReadOnlyCollection<Guid> values) => $"[{string.Join(',', values.Select(v => $"\"{v.ToString().ToUpperInvariant()}\""))}]";

    public override bool OneWriter => true;

    // SQLITE_BUSY and SQLITE_LOCKED
    public override bool IsContention(DbException exception) => Number(exception, "SqliteErrorCode") is 5 or 6;

    protected override string RowAddress => "rowid";
}
