namespace Outbox.Databases;

/// <summary>SQLite: a list is a JSON array.</summary>
internal sealed class SqliteDialect(OutboxTables tables) : SqlDialect(tables)
{
    public override object List(IReadOnlyCollection<long> values) => $"[{string.Join(',', values)}]";

    public override string Delete => $"""
        DELETE FROM {Tables.Message}
        WHERE {Tables.Message[nameof(OutboxMessage.SequenceNumber)]} IN (SELECT value FROM json_each(@ids))
        """;
}
