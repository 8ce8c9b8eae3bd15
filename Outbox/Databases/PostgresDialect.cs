namespace Outbox.Databases;

/// <summary>PostgreSQL: a list is an array.</summary>
internal sealed class PostgresDialect(OutboxTables tables) : SqlDialect(tables)
{
    public override object List(IReadOnlyCollection<long> values) => values.ToArray();

    public override string Delete => $"""
        DELETE FROM {Tables.Message}
        WHERE {Tables.Message[nameof(OutboxMessage.SequenceNumber)]} = ANY(@ids)
        """;
}
