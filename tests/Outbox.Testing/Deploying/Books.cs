using System.Data.Common;
using System.Globalization;

namespace Outbox.Testing;

/// <summary>Reads what the services' databases hold, past the services.</summary>
/// <param name="connect">Makes a connection to the database of that name, not opened yet.</param>
public sealed class Books(Func<string, DbConnection> connect)
{
    internal static readonly IReadOnlyList<string> Databases = ["Users", "Points", "Notifications"];

    /// <summary>Waits until everything has happened that is to happen for these users, and nothing waits to be sent.</summary>
    public async Task WaitUntilSettledAsync(IReadOnlyCollection<Guid> registered, TimeSpan? limit = null) =>
        await Eventually.Get(
            ReadAsync,
            entries => entries.Waiting == 0 && entries.Differences(registered).Count == 0,
            limit ?? Eventually.Limit * 6);

    /// <summary>Reads it all.</summary>
    public async Task<BookEntries> ReadAsync()
    {
        // Against the stream, so that what is on its way meanwhile cannot look like an effect without a cause.
        var told = await QueryAsync(
            "Notifications",
            """SELECT e."BusinessKey" FROM "Notification" n JOIN "BusinessEvent" e ON e."Id" = n."EventId" WHERE e."Type" = 'points.credited' """,
            row => row.GetString(0));
        var credits = await QueryAsync("Points", """SELECT "UserId", "Amount" FROM "LedgerEntry" """, UserAndAmount);
        var balances = await QueryAsync("Points", """SELECT "UserId", "Balance" FROM "Account" """, UserAndAmount);
        var users = await QueryAsync("Users", """SELECT "Id" FROM "User" """, row => row.GetGuid(0));
        var (waiting, dead) = (0L, 0L);
        foreach (var database in Databases)
        {
            waiting += await CountAsync(database, """SELECT COUNT(*) FROM "OutboxMessage" WHERE "State" = 0""");
            dead += await CountAsync(database, """SELECT COUNT(*) FROM "OutboxMessage" WHERE "State" = 2""");
        }

        return new BookEntries(users, balances, credits, told, waiting, dead);
    }

    /// <summary>How many credits there are.</summary>
    public Task<long> CountCreditsAsync() => CountAsync("Points", """SELECT COUNT(*) FROM "LedgerEntry" """);

    /// <summary>How many messages of a service came back because no queue was there for them.</summary>
    public Task<long> CountReturnedAsync(string database) => CountAsync(database, """SELECT COUNT(*) FROM "OutboxMessage" WHERE "Returns" > 0""");

    /// <summary>Which replica owns each partition of a service's outbox, as its database says; null where none does.</summary>
    public async Task<IReadOnlyList<Guid?>> OwnersAsync(string database) =>
        await QueryAsync(
            database,
            """SELECT "Owner" FROM "OutboxLease" ORDER BY "Partition" """,
            row => row.IsDBNull(0) ? (Guid?)null : row.GetGuid(0));

    /// <summary>How often each replica of a service has beaten.</summary>
    public async Task<IReadOnlyDictionary<Guid, long>> BeatsAsync(string database) =>
        (await QueryAsync(database, """SELECT "Id", "Beat" FROM "OutboxReplica" """, row => (Id: row.GetGuid(0), Beat: row.GetInt64(1))))
        .ToDictionary(replica => replica.Id, replica => replica.Beat);

    /// <summary>The ids of the messages that wait in the outbox of a service.</summary>
    public async Task<IReadOnlyList<Guid>> WaitingMessagesAsync(string database) =>
        await QueryAsync(database, """SELECT "MessageId" FROM "OutboxMessage" WHERE "State" = 0""", row => row.GetGuid(0));

    /// <summary>What waits in the outboxes of all services, a line each, for people.</summary>
    public async Task<IReadOnlyList<string>> DescribeWaitingAsync()
    {
        List<string> lines = [];
        foreach (var database in Databases)
        {
            lines.AddRange(await QueryAsync(
                database,
                """
                SELECT "SequenceNumber", "Partition", "MessageId", "MessageType", "DestinationAddress", "DueAt", "Attempts", "Returns", "LastError"
                FROM "OutboxMessage" WHERE "State" = 0 ORDER BY "SequenceNumber" LIMIT 20
                """,
                row => $"{database}: {string.Join(" | ", Enumerable.Range(0, row.FieldCount).Select(row.GetValue))}"));
        }

        return lines;
    }

    /// <summary>Every top-up.</summary>
    public async Task<IReadOnlyList<TopUpEntry>> TopUpsAsync() => await QueryAsync(
        "Users",
        """SELECT "Id", "UserId", "Amount", "State" FROM "TopUp" """,
        row => new TopUpEntry(row.GetGuid(0), row.GetGuid(1), row.GetInt64(2), Enum.GetName((TopUpOutcome)row.GetInt32(3))!));

    /// <summary>What was credited for top-ups: once for each, one hopes.</summary>
    public async Task<IReadOnlyList<(string BusinessKey, Guid UserId, long Amount)>> TopUpCreditsAsync() => await QueryAsync(
        "Points",
        """SELECT "BusinessKey", "UserId", "Amount" FROM "LedgerEntry" WHERE "Reason" = 'top-up'""",
        row => (row.GetString(0), row.GetGuid(1), row.GetInt64(2)));

    /// <summary>The business key of each credit.</summary>
    public async Task<IReadOnlyList<string>> CreditKeysAsync() =>
        await QueryAsync("Points", """SELECT "BusinessKey" FROM "LedgerEntry" """, row => row.GetString(0));

    /// <summary>How many half messages nobody has decided.</summary>
    public Task<long> CountPreparedAsync() => CountAsync("Users", """SELECT COUNT(*) FROM "OutboxMessage" WHERE "State" = 3""");

    private static (Guid UserId, long Amount) UserAndAmount(DbDataReader row) => (row.GetGuid(0), row.GetInt64(1));

    private async Task<long> CountAsync(string database, string sql) =>
        (await QueryAsync(database, sql, row => Convert.ToInt64(row.GetValue(0), CultureInfo.InvariantCulture))).Single();

    private async Task<List<T>> QueryAsync<T>(string database, string sql, Func<DbDataReader, T> read)
    {
        await using var connection = connect(database);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync();
        List<T> rows = [];
        while (await reader.ReadAsync())
            rows.Add(read(reader));
        return rows;
    }
}

/// <summary>A top-up as the database of Users.Api holds it.</summary>
/// <param name="Id">Its id, and the charge's.</param>
/// <param name="UserId">Whose it is.</param>
/// <param name="Amount">What was to be paid.</param>
/// <param name="State"><c>Pending</c>, <c>Succeeded</c> or <c>Failed</c>.</param>
public sealed record TopUpEntry(Guid Id, Guid UserId, long Amount, string State);

internal enum TopUpOutcome
{
    Pending = 0,
    Succeeded = 1,
    Failed = 2,
    Refunding = 3,
}
