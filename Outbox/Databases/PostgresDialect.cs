using System.Data.Common;

namespace Outbox.Databases;

/// <summary>PostgreSQL: a list is an array, and one read visits many partitions by <c>LATERAL</c>.</summary>
internal sealed class PostgresDialect(OutboxTables tables) : SqlDialect(tables)
{
    public override object List(IReadOnlyCollection<long> values) => values.ToArray();

    public override string IsIn(string column, string list) => $"{column} = ANY({list})";

    // The running total is taken over ids and sizes and whole rows alike: a large body lies out of line, and is fetched
    // only for the rows that are returned.
    public override string Read
    {
        get
        {
            var m = Tables.Message;
            var (sequence, partition, key, size) = (m[nameof(OutboxMessage.SequenceNumber)], m[nameof(OutboxMessage.Partition)], m[nameof(OutboxMessage.KeyHash)], m[nameof(OutboxMessage.Size)]);
            return $"""
                SELECT {MessageStatements.ColumnsOf(m, "r")}, r.found
                FROM (
                  SELECT m.*, p.place, sum(m.{size}) OVER (ORDER BY p.place, m.{sequence}) AS total, count(*) OVER () AS found
                  FROM unnest(@partitions, @after, @take) WITH ORDINALITY AS p(partition, after, take, place)
                  CROSS JOIN LATERAL (
                    SELECT {MessageStatements.ColumnsOf(m, "m")}
                    FROM {m} m
                    WHERE m.{partition} = p.partition AND m.{sequence} > p.after
                      AND m.{m[nameof(OutboxMessage.State)]} = 0 AND m.{m[nameof(OutboxMessage.DueAt)]} IS NULL
                      AND m.{sequence} <> ALL(@known) AND m.{key} <> ALL(@full)
                      AND NOT EXISTS (
                        SELECT FROM {m} h
                        WHERE h.{m[nameof(OutboxMessage.Holds)]} = {True} AND h.{partition} = m.{partition} AND h.{key} = m.{key})
                    ORDER BY m.{sequence}
                    LIMIT p.take) m) r
                WHERE r.total <= @bytes OR r.total = r.{size}
                ORDER BY r.place, r.{sequence}
                """;
        }
    }

    public override string? InboxClaimMany => ClaimMany("unnest(@messages, @passes) AS l(id, pass)");

    // After a failed statement COMMIT means ROLLBACK, and the driver does not say so: a consumer that caught the error would
    // lose everything, and the message with it.
    public override bool CommitHidesFailure => true;

    // Serialization failure, deadlock, lock time-out; and the driver's own time-out while waiting for a lock.
    public override bool IsContention(DbException exception)
        => exception.SqlState is "40001" or "40P01" or "55P03" || exception.InnerException is TimeoutException;

    // By the number of rows in a large table the planner expects that compiling the read pays, which takes a hundred times as long as
    // the few rows of it that are read. Nothing happens where there is no such setting.
    public override string RelaySession => "SELECT set_config(name, 'off', false) FROM pg_catalog.pg_settings WHERE name = 'jit'";

    // tgtype: 1 for each row, 2 before, 4 insert, 64 instead of. The last line fails while the tables are not there yet.
    public override string DropsInserts => $"""
        SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgtype & 5 = 5 AND tgtype & 66 <> 0)
          OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_type = '3')
          OR EXISTS (SELECT FROM pg_catalog.pg_foreign_table)
          OR EXISTS (SELECT FROM {Tables.Message} WHERE FALSE) AS "Value"
        """;

    protected override string RowAddress => "ctid";

    public override string SkipLocked => " FOR UPDATE SKIP LOCKED";
}
