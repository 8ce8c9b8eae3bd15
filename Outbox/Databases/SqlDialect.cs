using System.Data.Common;
using System.Globalization;

namespace Outbox.Databases;

/// <summary>
/// The text of the statements in which databases differ, and how a list is passed to them. No connections, no loops,
/// no retries: those are the caller's.
/// </summary>
internal abstract class SqlDialect(OutboxTables tables)
{
    public OutboxTables Tables { get; } = tables;

    /// <summary>The value of one parameter that carries a list of numbers.</summary>
    public abstract object List(IReadOnlyCollection<long> values);

    /// <summary>The condition that a column's value is in the list of a parameter.</summary>
    public abstract string IsIn(string column, string list);

    /// <summary>Deletes the rows whose key is in the list of a parameter.</summary>
    public virtual string DeleteListed(Table table, string key, string list)
        => $"""
            DELETE FROM {table}
            WHERE {IsIn(key, list)}
            """;

    /// <summary>Updates the rows whose key is in the list of a parameter, where a condition holds.</summary>
    public virtual string UpdateListed(Table table, string set, string where, string key, string list)
        => $"""
            UPDATE {table} SET {set}
            WHERE {where} AND {IsIn(key, list)}
            """;

    /// <summary>The literal of a column that is true.</summary>
    public virtual string True => "TRUE";

    /// <summary>The literal of a column that is false.</summary>
    public virtual string False => "FALSE";

    /// <summary>Ends a query that has an order: only its first <paramref name="rows"/>.</summary>
    public virtual string Limit(string rows) => $"LIMIT {rows}";

    /// <summary>Ends a query that has no order: any <paramref name="rows"/> of it.</summary>
    public virtual string LimitAny(string rows) => Limit(rows);

    /// <summary>An update that returns columns of the rows it changed.</summary>
    public virtual string UpdateReturning(string table, string set, string where, params string[] columns)
        => $"""
            UPDATE {table} SET {set}
            WHERE {where}
            RETURNING {string.Join(", ", columns)}
            """;

    /// <summary>
    /// Follows the name of a table that a query reads: it then passes over the rows that others are writing, where it would
    /// otherwise wait for them.
    /// </summary>
    public virtual string PassingLocks => "";

    /// <summary>Whole messages, where rows that others hold are passed over: EF adds the rest.</summary>
    public string FreeMessages => $"SELECT * FROM {Tables.Message}{PassingLocks}";

    /// <summary>What a connection runs before reads that pass over locks; <see langword="null"/> where nothing needs saying.</summary>
    public virtual string? Session => null;

    /// <summary>What a connection of the relay runs first.</summary>
    public virtual string? RelaySession => Session;

    /// <summary>Corrects the type that the driver takes a parameter's value for.</summary>
    public virtual void Fit(DbParameter parameter)
    {
    }

    /// <summary>Inserts a row of a key alone, unless it is there already.</summary>
    public virtual string InsertKeyUnlessThere(Table table, string key, string value)
        => $"INSERT INTO {table} ({key}) VALUES ({value}) ON CONFLICT ({key}) DO NOTHING";

    /// <summary>Whether <see cref="Read"/> takes lists of partitions; otherwise it is run for one partition at a time.</summary>
    public virtual bool ReadsManyPartitions => true;

    /// <summary>Asks which file the database is; <see langword="null"/> for a server, and no answer for one in memory.</summary>
    public virtual string? DatabaseFile => null;

    /// <summary>
    /// Reads the ready rows of <c>@partitions</c> whose numbers lie after <c>@after</c>, at most <c>@take</c> of each, by
    /// number, without those in <c>@known</c>, without the keys in <c>@full</c> and without those that are held; cut off after <c>@bytes</c> of bodies.
    /// </summary>
    public abstract string Read { get; }

    /// <summary>Counts by state, each up to <see cref="OutboxStatistics.CountLimit"/>, and the age of the oldest ready row, each by an index.</summary>
    public virtual string Statistics
    {
        get
        {
            var (m, lease) = (Tables.Message, Tables.Lease);
            var (state, due, holds) = (m[nameof(OutboxMessage.State)], m[nameof(OutboxMessage.DueAt)], m[nameof(OutboxMessage.Holds)]);
            var (created, partition, sequence) = (m[nameof(OutboxMessage.CreatedAt)], m[nameof(OutboxMessage.Partition)], m[nameof(OutboxMessage.SequenceNumber)]);
            var most = LimitAny(OutboxStatistics.CountLimit.ToString(CultureInfo.InvariantCulture));
            return $"""
                SELECT
                  (SELECT count(*) FROM (SELECT 1 AS x FROM {m}{PassingLocks} WHERE {state} = 0 AND {due} IS NULL {most}) r) AS "Ready",
                  (SELECT count(*) FROM (SELECT 1 AS x FROM {m}{PassingLocks} WHERE {state} = 0 AND {due} IS NOT NULL {most}) w) AS "Waiting",
                  (SELECT count(*) FROM (SELECT 1 AS x FROM {m}{PassingLocks} WHERE {holds} = {True} {most}) h) AS "Holding",
                  (SELECT count(*) FROM (SELECT 1 AS x FROM {m}{PassingLocks} WHERE {state} = 2 AND {state} <> 0 {most}) d) AS "Dead",
                  (SELECT count(*) FROM (SELECT 1 AS x FROM {m}{PassingLocks} WHERE {state} = 3 AND {due} IS NOT NULL {most}) p) AS "Prepared",
                  (SELECT count(*) FROM (SELECT 1 AS x FROM {m}{PassingLocks} WHERE {state} = 3 AND {due} IS NULL {most}) u) AS "Undecided",
                  (SELECT m.{created} FROM {m} m{PassingLocks} WHERE m.{state} = 3 AND m.{state} <> 0 ORDER BY m.{sequence} {Limit("1")}) AS "OldestPreparedAt",
                  (SELECT min(o.at) FROM (
                    SELECT (SELECT m.{created} FROM {m} m{PassingLocks}
                            WHERE m.{partition} = l.{lease[nameof(OutboxLease.Partition)]} AND m.{state} = 0 AND m.{due} IS NULL
                            ORDER BY m.{sequence} {Limit("1")}) AS at
                    FROM {lease} l) o) AS "OldestReadyAt"
                """;
        }
    }

    /// <summary>
    /// Claims the inbox row of a delivery: changes one row when the consumer may run, and none for a duplicate. The row
    /// becomes visible, as consumed, with the commit; until then another delivery of the message waits here.
    /// </summary>
    /// <remarks>A row that awaits a redelivery lets the deliveries of that pass run, and no earlier one.</remarks>
    public virtual string InboxClaim
    {
        get
        {
            var i = Tables.Inbox;
            var (message, consumer) = (i[nameof(InboxMessage.MessageId)], i[nameof(InboxMessage.ConsumerId)]);
            var (pass, consumed, expires) = (i[nameof(InboxMessage.Pass)], i[nameof(InboxMessage.ConsumedAt)], i[nameof(InboxMessage.ExpiresAt)]);
            return $"""
                INSERT INTO {i} AS i ({message}, {consumer}, {pass}, {consumed}, {expires})
                VALUES (@message, @consumer, @pass, @now, @expires)
                ON CONFLICT ({message}, {consumer}) DO UPDATE
                SET {pass} = excluded.{pass}, {consumed} = excluded.{consumed}, {expires} = excluded.{expires}
                WHERE i.{consumed} IS NULL AND i.{pass} <= excluded.{pass}
                """;
        }
    }

    /// <summary>
    /// Claims the rows of many deliveries, <c>@messages</c> with their <c>@passes</c>, and returns the ids of those that may run. In
    /// the order of the ids, or two batches with the same messages would wait for each other. <see langword="null"/> where they are
    /// claimed one by one.
    /// </summary>
    public virtual string? InboxClaimMany => null;

    /// <summary>Ids as the parameter of <see cref="InboxClaimMany"/>.</summary>
    public virtual object List(IReadOnlyCollection<Guid> values) => values.ToArray();

    /// <summary>
    /// Notes that redelivery <c>@pass</c> of a message is awaited, unless the consumer has consumed it, or a later one is
    /// awaited already.
    /// </summary>
    public virtual string InboxAwait
    {
        get
        {
            var i = Tables.Inbox;
            var (message, consumer) = (i[nameof(InboxMessage.MessageId)], i[nameof(InboxMessage.ConsumerId)]);
            var (pass, consumed, expires) = (i[nameof(InboxMessage.Pass)], i[nameof(InboxMessage.ConsumedAt)], i[nameof(InboxMessage.ExpiresAt)]);
            return $"""
                INSERT INTO {i} AS i ({message}, {consumer}, {pass}, {consumed}, {expires})
                VALUES (@message, @consumer, @pass, NULL, @expires)
                ON CONFLICT ({message}, {consumer}) DO UPDATE
                SET {pass} = excluded.{pass}, {expires} = excluded.{expires}
                WHERE i.{consumed} IS NULL AND i.{pass} < excluded.{pass}
                """;
        }
    }

    /// <summary>Deletes at most <c>@limit</c> inbox rows that had expired at <c>@now</c>, found by their index.</summary>
    public virtual string InboxCleanUp
    {
        get
        {
            var (i, expires) = (Tables.Inbox, Tables.Inbox[nameof(InboxMessage.ExpiresAt)]);
            return $"""
                DELETE FROM {i}
                WHERE {RowAddress} IN (
                  SELECT {RowAddress} FROM {i}
                  WHERE {expires} <= @now
                  ORDER BY {expires}
                  {Limit("@limit")}{SkipLocked})
                """;
        }
    }

    /// <summary>
    /// Asks, as <c>Value</c>, whether a row that is inserted may be left out without an error: by a trigger, a rule, or a table of another database.
    /// <see langword="null"/> where statements that are sent together are no transaction of their own, so that nobody needs to know.
    /// </summary>
    public virtual string? DropsInserts => null;

    /// <summary>Whether the commit of a transaction in which a statement has failed is answered as if it were one, by a silent rollback.</summary>
    public virtual bool CommitHidesFailure => false;

    /// <summary>Whether there is one writer at a time, so that the writers of a process had better queue up.</summary>
    public virtual bool OneWriter => false;

    /// <summary>Whether a statement failed only because others were at the same rows: the transaction may be tried again.</summary>
    public abstract bool IsContention(DbException exception);

    /// <summary>Whether a statement failed because the database is away for a while.</summary>
    public virtual bool IsAway(DbException exception) => exception.IsTransient;

    /// <summary><see cref="InboxClaimMany"/>, given how the lists are read as <c>id</c> and <c>pass</c>.</summary>
    protected string ClaimMany(string lists)
    {
        var i = Tables.Inbox;
        var (message, consumer) = (i[nameof(InboxMessage.MessageId)], i[nameof(InboxMessage.ConsumerId)]);
        var (pass, consumed, expires) = (i[nameof(InboxMessage.Pass)], i[nameof(InboxMessage.ConsumedAt)], i[nameof(InboxMessage.ExpiresAt)]);
        return $"""
            INSERT INTO {i} AS i ({message}, {consumer}, {pass}, {consumed}, {expires})
            SELECT l.id, @consumer, l.pass, @now, @expires
            FROM {lists}
            WHERE true
            ORDER BY l.id
            ON CONFLICT ({message}, {consumer}) DO UPDATE
            SET {pass} = excluded.{pass}, {consumed} = excluded.{consumed}, {expires} = excluded.{expires}
            WHERE i.{consumed} IS NULL AND i.{pass} <= excluded.{pass}
            RETURNING {message} AS "Value"
            """;
    }

    /// <summary>Where a row lies: the database's own address.</summary>
    protected virtual string RowAddress => "";

    /// <summary>What makes a read pass over the rows that others are at, where that is possible.</summary>
    public virtual string SkipLocked => "";

    /// <summary>A list as a JSON array.</summary>
    protected static string JsonList(IReadOnlyCollection<long> values) => $"[{string.Join(',', values)}]";

    /// <summary>The number by which a driver tells its errors, in a property of its own: the library references no driver.</summary>
    protected static int? Number(DbException exception, string property)
        => exception.GetType().GetProperty(property)?.GetValue(exception) as int?;
}
