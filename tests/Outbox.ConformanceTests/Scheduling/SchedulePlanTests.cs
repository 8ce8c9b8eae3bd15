using System.Globalization;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Scheduling;

/// <summary>What lies ahead costs the relay nothing: its statements never walk over it.</summary>
public abstract class SchedulePlanTests
{
    private const int Ahead = 50_000;

    protected abstract Task<TestDatabase> NewDatabase();

    protected abstract string Fill { get; }

    protected abstract string Explain { get; }

    /// <summary>The parameters, as text of this database.</summary>
    protected abstract string Literal(string parameter);

    protected abstract void Check(string statement, string plan);

    [SkippableFact]
    public async Task No_statement_of_the_relay_walks_over_what_is_not_due()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        await host.InScope((db, _) => db.Database.ExecuteSqlRawAsync(Fill, Ahead));
        await host.InScope((db, _) => db.Database.ExecuteSqlRawAsync("ANALYZE"));
        var dialect = host.Services.GetRequiredService<OutboxStore<ShopDb>>().Dialect;
        var sql = new MessageStatements(dialect);

        foreach (var (name, text) in new[] { ("next due", sql.NextDue), ("promote", sql.Promote), ("read", sql.Read), ("tops", sql.Tops), ("cancel", await CancelText(host)) })
        {
            var plan = await Plan(host, text);
            Check(name, plan);
        }
    }

    private static Task<string> CancelText(ShopHost host) => host.Query(async db =>
    {
        var token = await db.OutboxMessages.Select(m => m.MessageId).FirstAsync();
        var text = db.OutboxMessages
            .Where(m => m.MessageId == token && m.DueAt != null && m.State == OutboxMessageState.Pending && m.Attempts == 0 && m.Returns == 0 && !m.Holds)
            .ToQueryString();
        return string.Join('\n', text.Split('\n').Where(l => !l.StartsWith("--", StringComparison.Ordinal) && !l.StartsWith(".param", StringComparison.Ordinal)));
    });

    private async Task<string> Plan(ShopHost host, string sql)
    {
        foreach (var parameter in new[] { "@partitions", "@after", "@take", "@known", "@full", "@bytes", "@now", "@limit", "@token" })
            sql = sql.Replace(parameter, Literal(parameter), StringComparison.Ordinal);
        return await host.Query(async db =>
        {
            await db.Database.OpenConnectionAsync();
            await using var command = db.Database.GetDbConnection().CreateCommand();
            command.CommandText = $"{Explain} {sql}";
            var plan = new StringBuilder();
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                plan.AppendLine(Convert.ToString(reader.GetValue(reader.FieldCount - 1), CultureInfo.InvariantCulture));
            return plan.ToString();
        });
    }
}

public sealed class SqliteSchedulePlanTests : SchedulePlanTests
{
    protected override string Fill =>
        """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0})
        INSERT INTO OutboxMessage (Partition, KeyHash, State, DueAt, Holds, Attempts, Returns, CreatedAt, MessageId, MessageType, DestinationAddress, ContentType, Metadata, Body, Size)
        SELECT i % 16, i, 0, '2127-01-01 00:00:00', 0, 0, 0, '2026-01-01 00:00:00', printf('00000000-0000-0000-0000-%012d', i), '', '', '', '', x'', 0 FROM n
        """;

    protected override string Explain => "EXPLAIN QUERY PLAN";

    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());

    protected override string Literal(string parameter) => parameter switch
    {
        "@partitions" => "'[0,1,2,3]'",
        "@known" or "@full" => "'[]'",
        "@now" => "'2026-11-01 00:00:00'",
        "@token" => "'00000000-0000-0000-0000-000000000001'",
        _ => "100",
    };

    protected override void Check(string statement, string plan)
    {
        plan.ShouldNotContain("SCAN OutboxMessage\n", customMessage: $"{statement}: {plan}");
        plan.ShouldNotContain("TEMP B-TREE FOR ORDER BY", customMessage: $"{statement}: {plan}");
        plan.ShouldContain("INDEX IX_OutboxMessage_", customMessage: $"{statement}: {plan}");
    }
}

public sealed class PostgresSchedulePlanTests : SchedulePlanTests
{
    // Another half as many rows elsewhere in the order: a plan that walks over what is not due shows by its count of rows.
    protected override string Fill =>
        """
        INSERT INTO "OutboxMessage" ("Partition", "KeyHash", "State", "DueAt", "Holds", "Attempts", "Returns", "CreatedAt", "MessageId", "MessageType", "DestinationAddress", "ContentType", "Metadata", "Body", "Size")
        SELECT i % 16, i, 0, '2127-01-01 00:00:00Z', FALSE, 0, 0, '2026-01-01 00:00:00Z', gen_random_uuid(), '', '', '', '', '', 0 FROM generate_series(1, {0}) i
        """;

    protected override string Explain => "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF)";

    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();

    protected override string Literal(string parameter) => parameter switch
    {
        "@partitions" => "ARRAY[0,1,2,3]::bigint[]",
        "@after" => "ARRAY[0,0,0,0]::bigint[]",
        "@take" => "ARRAY[10,10,10,10]::bigint[]",
        "@known" or "@full" => "ARRAY[]::bigint[]",
        "@bytes" => "1000000",
        "@now" => "'2026-11-01 00:00:00Z'::timestamptz",
        "@token" => "'00000000-0000-0000-0000-000000000001'::uuid",
        _ => "100",
    };

    protected override void Check(string statement, string plan)
    {
        plan.ShouldContain("Index", customMessage: $"{statement}: {plan}");
        plan.ShouldNotContain("Seq Scan on \"OutboxMessage\"", customMessage: $"{statement}: {plan}");

        // Pages touched: tens, where walking over the rows would touch hundreds.
        var touched = plan.Split('\n').Select(l => l.Trim()).First(l => l.StartsWith("Buffers:", StringComparison.Ordinal));
        var pages = System.Text.RegularExpressions.Regex.Matches(touched, @"(hit|read)=(?<pages>\d+)", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1))
            .Sum(m => int.Parse(m.Groups["pages"].Value, CultureInfo.InvariantCulture));
        pages.ShouldBeLessThan(100, $"{statement}: {plan}");
    }
}
