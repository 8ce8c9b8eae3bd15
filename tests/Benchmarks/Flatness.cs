using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Outbox.Databases;

namespace Benchmarks;

/// <summary>Whether the rate stays what it is whatever else lies in the table: a large backlog, scheduled rows, old row versions.</summary>
internal static class Flatness
{
    private const int Measured = 100_000;
    private const int Lag = 1_000;

    /// <param name="bench">The servers.</param>
    /// <param name="report">What was found.</param>
    /// <param name="rounds">How often the reference is measured.</param>
    /// <param name="part">A part of the full sizes: 1 for all of it.</param>
    public static async Task RunAsync(Bench bench, Report report, int rounds, double part)
    {
        await bench.BindAsync(Backlog.Queue, ItemAdded.Exchange);
        var measured = (int)(Measured * Math.Min(1, part * 10));
        var reference = new List<double>();
        for (var round = 0; round <= rounds; round++)
        {
            await using var backlog = await Backlog.StoreAsync(bench, measured);
            var rate = (await backlog.DrainAsync(from: Lag, to: measured)).Rate;
            if (round > 0)
                reference.Add(rate);
        }

        var plans = new StringBuilder();
        await BesideAsync("backlog", (int)(5_000_000 * part), 0);
        await BesideAsync("scheduled", measured, (int)(1_000_000 * part));
        await OldTransactionAsync(bench, report, reference, (int)(1_000_000 * part), measured, plans);
        report.Text("plans.txt", plans.ToString());

        async Task BesideAsync(string name, int messages, int scheduled)
        {
            await using var backlog = await Backlog.StoreAsync(bench, messages, scheduled: scheduled);
            plans.AppendLine($"== {name}: {messages:N0} ready, {scheduled:N0} scheduled").AppendLine(await PlanAsync(backlog));
            var rate = (await backlog.DrainAsync(from: Lag, to: measured)).Rate;
            var books = await backlog.ReadBackAsync();
            report.Ratio(
                scheduled > 0 ? $"Flat: {scheduled:N0} scheduled rows" : $"Flat: a backlog of {messages:N0} rows", [rate], reference, "msg/s", atLeast: 0.95, books: books);
        }
    }

    private static async Task OldTransactionAsync(Bench bench, Report report, List<double> reference, int before, int measured, StringBuilder plans)
    {
        NpgsqlDataSource? source = null;
        NpgsqlTransaction? old = null;
        await using var backlog = await Backlog.StoreAsync(bench, before + measured, before: async s =>
        {
            // It has the lowest number of all, and sees everything as it was before them.
            source = NpgsqlDataSource.Create(s.ConnectionString + (s.ConnectionString.EndsWith(';') ? "" : ";") + "Pooling=false");
            var connection = await source.OpenConnectionAsync();
            old = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
            await using var late = new NpgsqlCommand(
                """
                INSERT INTO "OutboxMessage" ("Partition", "KeyHash", "State", "Holds", "Attempts", "Returns", "CreatedAt", "MessageId", "MessageType", "DestinationAddress",
                    "ContentType", "Metadata", "Body", "Size")
                SELECT 0, 0, "State", "Holds", "Attempts", "Returns", "CreatedAt", '00000000-0000-0000-0000-000000000000', "MessageType", "DestinationAddress",
                    "ContentType", "Metadata", "Body", "Size"
                FROM "Template"
                """, connection, old);
            await late.ExecuteNonQueryAsync();
        });
        await using var _ = source!;
        using var host = backlog.NewRelay();
        var passage = await Passage.OfAsync(bench, Backlog.Queue, before, before + measured, () => host.StartAsync());
        report.Ratio($"Flat: after {before:N0} rows, with a transaction open since before", [passage.Rate], reference, "msg/s", atLeast: 0.9);
        plans.AppendLine($"== {before + measured:N0} relayed and not cleaned up").AppendLine(await PlanAsync(backlog));

        await using var connection = await bench.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await bench.PurgeAsync(Backlog.Queue);
        await old!.CommitAsync();
        var committed = Stopwatch.GetTimestamp();
        while (await channel.MessageCountAsync(Backlog.Queue) == 0)
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        report.Value("Flat: a row with the lowest number, committed then, is relayed after", Stopwatch.GetElapsedTime(committed).TotalSeconds, "s", atMost: 10);
        await host.StopAsync();
    }

    /// <summary>How the database reads: the relay's own statement, from the beginning and from the middle.</summary>
    private static async Task<string> PlanAsync(Backlog backlog)
    {
        using var host = backlog.NewRelay();
        var dialect = host.Services.GetRequiredService<OutboxStore<BenchDb>>().Dialect;
        await using var source = NpgsqlDataSource.Create(backlog.Database);
        await using var connection = await source.OpenConnectionAsync();
        await using (var session = new NpgsqlCommand(dialect.RelaySession, connection))
            await session.ExecuteNonQueryAsync();
        var text = new StringBuilder();
        foreach (var after in new long[] { 0, backlog.Messages / 2 })
        {
            await using var command = new NpgsqlCommand("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + dialect.Read, connection);
            command.CommandTimeout = 0;
            command.Parameters.AddWithValue("partitions", Enumerable.Range(0, 16).Select(p => (long)p).ToArray());
            command.Parameters.AddWithValue("after", Enumerable.Repeat(after, 16).ToArray());
            command.Parameters.AddWithValue("take", Enumerable.Repeat(62L, 16).ToArray());
            command.Parameters.AddWithValue("known", Array.Empty<long>());
            command.Parameters.AddWithValue("full", Array.Empty<long>());
            command.Parameters.AddWithValue("bytes", 8L * 1024 * 1024);
            await using var reader = await command.ExecuteReaderAsync();
            text.AppendLine($"-- after {after:N0}");
            while (await reader.ReadAsync())
                text.AppendLine(reader.GetString(0));
        }

        return text.ToString();
    }
}
