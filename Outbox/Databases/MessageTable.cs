using System.Data.Common;
using Outbox.Relaying;

namespace Outbox.Databases;

/// <summary>What the relay reads from and writes to the message table. One user at a time.</summary>
internal sealed class MessageTable(RelayConnection connection, OutboxOptions options)
{
    // SQL Server locks the whole table for an update of 5,000 rows.
    private const int PromoteLimit = 1000;

    private MessageStatements? _sql;

    private MessageStatements Sql => _sql ??= new MessageStatements(connection.Dialect);

    private HalfStatements HalfSql => field ??= new HalfStatements(connection.Dialect);

    /// <summary>Reads ready rows, and when the next row enters.</summary>
    public async Task<ReadyRows> Read(IReadOnlyList<PartitionRead> reads, IReadOnlyCollection<long> known, IReadOnlyCollection<long> fullKeys, CancellationToken cancellationToken)
    {
        var rows = new ReadyRows(options.QueryByteLimit);
        var (knownList, fullList) = (connection.Dialect.List(known), connection.Dialect.List(fullKeys));
        if (connection.Dialect.ReadsManyPartitions)
        {
            await connection.Query(
                $"{Sql.NextDue};\n{Sql.Read}",
                c => c
                    .Add("partitions", List(reads.Select(r => (long)r.Partition)))
                    .Add("after", List(reads.Select(r => r.After)))
                    .Add("take", List(reads.Select(r => (long)r.Take)))
                    .Add("known", knownList)
                    .Add("full", fullList)
                    .Add("bytes", (long)options.QueryByteLimit),
                async reader =>
                {
                    await ReadSituation(reader, rows, cancellationToken).ConfigureAwait(false);
                    await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                    await rows.AddAll(reader, cancellationToken).ConfigureAwait(false);
                },
                cancellationToken).ConfigureAwait(false);
            return rows;
        }

        await connection.Query(
            Sql.NextDue,
            c => c.Add("partitions", List(reads.Select(r => (long)r.Partition))),
            reader => ReadSituation(reader, rows, cancellationToken),
            cancellationToken).ConfigureAwait(false);
        foreach (var read in reads.TakeWhile(_ => !rows.IsCut))
        {
            await connection.Query(
                Sql.Read,
                c => c.Add("partitions", read.Partition).Add("after", read.After).Add("take", read.Take).Add("known", knownList).Add("full", fullList),
                reader => rows.AddAll(reader, cancellationToken),
                cancellationToken).ConfigureAwait(false);
        }

        return rows;
    }

    /// <summary>Makes rows ready that are due.</summary>
    /// <returns>Where they are, so that the reading goes back to them.</returns>
    public async Task<IReadOnlyList<(int Partition, long SequenceNumber)>> Promote(IEnumerable<int> partitions, DateTime now, CancellationToken cancellationToken)
    {
        var promoted = new List<(int, long)>();
        await connection.Query(
            Sql.Promote,
            c => c.Add("partitions", List(partitions.Select(p => (long)p))).Add("now", now).Add("limit", Math.Min(options.QueryMessageLimit, PromoteLimit)),
            async reader =>
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    promoted.Add((reader.GetInt32(0), reader.GetInt64(1)));
            },
            cancellationToken).ConfigureAwait(false);
        return promoted;
    }

    /// <summary>The highest ready row of each partition that has one, whether its key is held or not.</summary>
    public async Task<IReadOnlyList<(int Partition, long SequenceNumber)>> Tops(IEnumerable<int> partitions, CancellationToken cancellationToken)
    {
        var tops = new List<(int, long)>();
        await connection.Query(
            Sql.Tops,
            c => c.Add("partitions", List(partitions.Select(p => (long)p))),
            async reader =>
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    if (!reader.IsDBNull(1))
                        tops.Add((reader.GetInt32(0), reader.GetInt64(1)));
                }
            },
            cancellationToken).ConfigureAwait(false);
        return tops;
    }

    /// <summary>Deletes rows that are done with.</summary>
    public Task Delete(IReadOnlyCollection<long> ids, CancellationToken cancellationToken)
        => connection.Execute(Sql.Delete, c => c.Add("ids", connection.Dialect.List(ids)), cancellationToken);

    /// <summary>Keeps rows that are done with, as sent.</summary>
    public Task Keep(IReadOnlyCollection<long> ids, DateTime now, CancellationToken cancellationToken)
        => connection.Execute(Sql.Keep, c => c.Add("ids", connection.Dialect.List(ids)).Add("now", now), cancellationToken);

    /// <summary>Keeps of half messages that are done with only that they were committed.</summary>
    public Task Settle(IReadOnlyCollection<long> ids, DateTime now, CancellationToken cancellationToken)
        => connection.Execute(
            HalfSql.Settle, c => c.Add("ids", connection.Dialect.List(ids)).Add("now", now).Add("empty", Array.Empty<byte>()), cancellationToken);

    /// <summary>The last of the kept rows.</summary>
    public Task<long?> LastKept(CancellationToken cancellationToken) => Number(Sql.LastKept, cancellationToken);

    /// <summary>The last of the rows that are being sent again.</summary>
    public Task<long?> LastRedelivered(CancellationToken cancellationToken) => Number(Sql.LastRedelivered, cancellationToken);

    /// <summary>The latest moment at which a row was kept.</summary>
    public async Task<DateTime?> LastClosed(CancellationToken cancellationToken)
    {
        DateTime? last = null;
        await connection.Query(
            Sql.LastClosed,
            _ => { },
            async reader => last = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? reader.GetUtc(0) : null,
            cancellationToken).ConfigureAwait(false);
        return last;
    }

    /// <summary>Writes the time onto a kept row.</summary>
    public Task Tell(long id, DateTime now, CancellationToken cancellationToken)
        => connection.Execute(Sql.Tell, c => c.Add("id", id).Add("now", now), cancellationToken);

    /// <summary>Makes kept rows pending again.</summary>
    /// <returns>How many.</returns>
    public Task<int> Redeliver(int limit, CancellationToken cancellationToken) => connection.Execute(Sql.Redeliver, c => c.Add("limit", limit), cancellationToken);

    /// <summary>Whether a row up to this one is ready and not yet sent.</summary>
    public async Task<bool> AnyReadyUpTo(long last, CancellationToken cancellationToken)
    {
        var any = false;
        await connection.Query(
            Sql.AnyReadyUpTo,
            c => c.Add("last", last),
            async reader => any = await reader.ReadAsync(cancellationToken).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
        return any;
    }

    /// <summary>Deletes kept rows that are old enough. Of half messages it is kept that they were committed.</summary>
    /// <returns>How many were deleted.</returns>
    public async Task<int> DeleteKept(DateTime before, DateTime now, int limit, CancellationToken cancellationToken)
    {
        int settled;
        do
        {
            settled = await connection.Execute(
                HalfSql.SettleKept, c => c.Add("before", before).Add("now", now).Add("empty", Array.Empty<byte>()).Add("limit", limit), cancellationToken).ConfigureAwait(false);
        }
        while (settled == limit);
        return await connection.Execute(Sql.DeleteKept, c => c.Add("before", before).Add("limit", limit), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes down failed sends, all or none of them.</summary>
    public Task RecordFailures(IEnumerable<Failure> failures, CancellationToken cancellationToken)
        => connection.InTransaction(
            async () =>
            {
                foreach (var failure in failures.OrderBy(f => f.SequenceNumber))
                    await connection.Execute(Sql.RecordFailure, c => Bind(c, failure), cancellationToken).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Whether a statement failed for its own sake: the database is there, and nobody is in the way.</summary>
    public bool Refuses(DbException exception)
        => connection.IsOpen && !connection.Dialect.IsAway(exception) && !connection.Dialect.IsContention(exception);

    private static void Bind(DbCommand command, Failure failure) => command
        .Add("id", failure.SequenceNumber).Add("seenAttempts", failure.SeenAttempts).Add("seenReturns", failure.SeenReturns)
        .Add("state", (int)failure.State).Add("due", failure.DueAt).Add("holds", failure.Holds)
        .Add("attempts", failure.Attempts).Add("returns", failure.Returns).Add("closed", failure.ClosedAt).Add("error", failure.Error);

    private static async Task ReadSituation(DbDataReader reader, ReadyRows rows, CancellationToken cancellationToken)
    {
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        (rows.NextDue, rows.Replicas) = (reader.GetUtc(0), reader.GetInt32(1));
    }

    private async Task<long?> Number(string sql, CancellationToken cancellationToken)
    {
        long? number = null;
        await connection.Query(
            sql,
            _ => { },
            async reader => number = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && !reader.IsDBNull(0) ? reader.GetInt64(0) : null,
            cancellationToken).ConfigureAwait(false);
        return number;
    }

    private object List(IEnumerable<long> values) => connection.Dialect.List([.. values]);
}

/// <summary>How much is read of a partition, and from where.</summary>
internal readonly record struct PartitionRead(int Partition, long After, int Take);

/// <summary>What is written down about a failed send.</summary>
internal sealed record Failure(
    long SequenceNumber, int SeenAttempts, int SeenReturns,
    OutboxMessageState State, DateTime? DueAt, bool Holds, int Attempts, int Returns, DateTime? ClosedAt, string Error);
