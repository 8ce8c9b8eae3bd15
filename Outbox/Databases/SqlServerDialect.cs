using System.Data;
using System.Data.Common;

namespace Outbox.Databases;

/// <summary>
/// SQL Server: a list is a JSON array in one parameter, and one read visits many partitions by <c>CROSS APPLY</c>. No
/// statement needs snapshot isolation, and none minds it.
/// </summary>
internal sealed class SqlServerDialect(OutboxTables tables) : SqlDialect(tables)
{
    public override string True => "1";

    public override string False => "0";

    public override string Limit(string rows) => $"OFFSET 0 ROWS FETCH NEXT {rows} ROWS ONLY";

    public override string LimitAny(string rows) => $"ORDER BY (SELECT NULL) {Limit(rows)}";

    // The isolation level of a pooled connection is that of whoever had it before; READPAST wants this one.
    public override string Session => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

    // With locks, whether or not the database has row versions for READ COMMITTED: READPAST alone would then be refused.
    public override string PassingLocks => " WITH (READCOMMITTEDLOCK, READPAST)";

    public override object List(IReadOnlyCollection<long> values) => JsonList(values);

    public override string IsIn(string column, string list) => $"{column} IN (SELECT v FROM OPENJSON({list}) WITH (v bigint '$'))";

    // From the list to the rows, by their key: a plan that walks over the table would wait for every insert that is not
    // committed yet. Locks of rows only: those who read pass over a whole page that is locked.
    public override string DeleteListed(Table table, string key, string list)
        => $"""
            DELETE m
            FROM OPENJSON({list}) WITH (v bigint '$') i
            INNER LOOP JOIN {table} m WITH (ROWLOCK) ON m.{key} = i.v
            """;

    public override string UpdateListed(Table table, string set, string where, string key, string list)
        => $"""
            UPDATE m SET {set}
            FROM OPENJSON({list}) WITH (v bigint '$') i
            INNER LOOP JOIN {table} m WITH (ROWLOCK) ON m.{key} = i.v
            WHERE {where}
            """;

    public override void Fit(DbParameter parameter)
    {
        // The driver takes a DateTime for the old type, which rounds; and makes a plan for every length of a text.
        if (parameter.Value is DateTime)
            parameter.DbType = DbType.DateTime2;
        else if (parameter.Value is string)
            parameter.Size = -1;
    }

    public override string UpdateReturning(string table, string set, string where, params string[] columns)
        => $"""
            UPDATE {table} SET {set}
            OUTPUT {string.Join(", ", columns.Select(c => $"inserted.{c}"))}
            WHERE {where}
            """;

    public override string InsertKeyUnlessThere(Table table, string key, string value)
        => InsertUnlessThere($"INSERT INTO {table} ({key}) VALUES ({value});", otherwise: "");

    // The lists become tables with a key first: a JSON text would be read again for every row it is compared with. The
    // running total is taken over ids and sizes only, so that bodies are fetched for no other rows than those returned.
    // Whether a key is held is read without passing over locks: the row that holds it may be the one being written.
    public override string Read
    {
        get
        {
            var m = Tables.Message;
            var (sequence, partition, key, size) = (m[nameof(OutboxMessage.SequenceNumber)], m[nameof(OutboxMessage.Partition)], m[nameof(OutboxMessage.KeyHash)], m[nameof(OutboxMessage.Size)]);
            return $"""
                DECLARE @knownRows TABLE (v bigint PRIMARY KEY);
                DECLARE @fullKeys TABLE (v bigint PRIMARY KEY);
                INSERT INTO @knownRows SELECT DISTINCT v FROM OPENJSON(@known) WITH (v bigint '$');
                INSERT INTO @fullKeys SELECT DISTINCT v FROM OPENJSON(@full) WITH (v bigint '$');
                SELECT {MessageStatements.ColumnsOf(m, "m")}, r.found
                FROM (
                  SELECT p.place, k.number, k.bytes, COUNT_BIG(*) OVER () AS found,
                    SUM(CAST(k.bytes AS bigint)) OVER (ORDER BY p.place, k.number ROWS UNBOUNDED PRECEDING) AS total
                  FROM (
                    SELECT CAST(a.[key] AS int) AS place, CAST(a.[value] AS int) AS number, CAST(b.[value] AS bigint) AS beyond, CAST(c.[value] AS int) AS take
                    FROM OPENJSON(@partitions) a
                    JOIN OPENJSON(@after) b ON b.[key] = a.[key]
                    JOIN OPENJSON(@take) c ON c.[key] = a.[key]) p
                  CROSS APPLY (
                    SELECT TOP (p.take) m.{sequence} AS number, m.{size} AS bytes
                    FROM {m} m{PassingLocks}
                    WHERE m.{partition} = p.number AND m.{sequence} > p.beyond
                      AND m.{m[nameof(OutboxMessage.State)]} = 0 AND m.{m[nameof(OutboxMessage.DueAt)]} IS NULL
                      AND NOT EXISTS (SELECT 1 FROM @knownRows x WHERE x.v = m.{sequence})
                      AND NOT EXISTS (SELECT 1 FROM @fullKeys x WHERE x.v = m.{key})
                      AND NOT EXISTS (
                        SELECT 1 FROM {m} h
                        WHERE h.{m[nameof(OutboxMessage.Holds)]} = {True} AND h.{partition} = m.{partition} AND h.{key} = m.{key})
                    ORDER BY m.{sequence}) k) r
                JOIN {m} m{PassingLocks} ON m.{sequence} = r.number
                WHERE r.total <= @bytes OR r.total = r.bytes
                ORDER BY r.place, r.number
                """;
        }
    }

    // A plain insert, which waits for another delivery of the message: NOT EXISTS would race with it, and deadlock with
    // range locks.
    public override string InboxClaim
    {
        get
        {
            var (i, key) = (Tables.Inbox, InboxKey);
            var (pass, consumed, expires) = (i[nameof(InboxMessage.Pass)], i[nameof(InboxMessage.ConsumedAt)], i[nameof(InboxMessage.ExpiresAt)]);
            return InsertUnlessThere(
                $"INSERT INTO {i} ({InboxColumns}) VALUES (@message, @consumer, @pass, @now, @expires);",
                $"""
                UPDATE {i} SET {pass} = @pass, {consumed} = @now, {expires} = @expires
                  WHERE {key} AND {consumed} IS NULL AND {pass} <= @pass;
                """);
        }
    }

    public override string InboxAwait
    {
        get
        {
            var (i, key) = (Tables.Inbox, InboxKey);
            var (pass, consumed, expires) = (i[nameof(InboxMessage.Pass)], i[nameof(InboxMessage.ConsumedAt)], i[nameof(InboxMessage.ExpiresAt)]);
            return InsertUnlessThere(
                $"INSERT INTO {i} ({InboxColumns}) VALUES (@message, @consumer, @pass, NULL, @expires);",
                $"""
                UPDATE {i} SET {pass} = @pass, {expires} = @expires
                  WHERE {key} AND {consumed} IS NULL AND {pass} < @pass;
                """);
        }
    }

    public override string InboxCleanUp
        => $"""
            {Session};
            DELETE TOP (@limit) FROM {Tables.Inbox}{PassingLocks} WHERE {Tables.Inbox[nameof(InboxMessage.ExpiresAt)]} <= @now
            """;

    public override bool IsContention(DbException exception) => Number(exception) is { } number && SqlServerErrors.IsContention(number);

    // The driver leaves DbException.IsTransient at false.
    public override bool IsAway(DbException exception)
        => SqlServerErrors.IsAway(Number(exception), exception.GetType().GetProperty("Class")?.GetValue(exception) as byte?);

    private string InboxColumns
    {
        get
        {
            var i = Tables.Inbox;
            return $"{i[nameof(InboxMessage.MessageId)]}, {i[nameof(InboxMessage.ConsumerId)]}, {i[nameof(InboxMessage.Pass)]}, {i[nameof(InboxMessage.ConsumedAt)]}, {i[nameof(InboxMessage.ExpiresAt)]}";
        }
    }

    private string InboxKey => $"{Tables.Inbox[nameof(InboxMessage.MessageId)]} = @message AND {Tables.Inbox[nameof(InboxMessage.ConsumerId)]} = @consumer";

    // 2627: a constraint's key, 2601: an index's. XACT_ABORT would end the transaction instead of the statement.
    private static string InsertUnlessThere(string insert, string otherwise)
        => $"""
            SET XACT_ABORT OFF;
            BEGIN TRY
              {insert}
            END TRY
            BEGIN CATCH
              IF ERROR_NUMBER() NOT IN (2601, 2627)
                THROW;{(otherwise.Length > 0 ? $"\n  {otherwise}" : "")}
            END CATCH
            """;

    private static int? Number(DbException exception) => Number(exception, "Number");
}
