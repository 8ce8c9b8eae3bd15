using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Outbox;
using RabbitMQ.Client;

namespace Benchmarks;

/// <summary>
/// How fast a backlog is drained, beside what the broker's own client publishes of the same bodies with confirms and
/// the same number on their way. Both publish persistent, mandatory messages into a durable, bound queue.
/// </summary>
internal static class RelayDrain
{
    private const string Queue = "bench-drain";
    private const int Window = 2000;

    public static async Task RunAsync(Bench bench, Report report, int rounds, int messages)
    {
        await bench.BindAsync(Queue, ItemAdded.Exchange);
        var (relay, client, relayCpu, clientCpu) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        byte[]? body = null;
        for (var round = 0; round <= rounds; round++)
        {
            var database = await bench.NewDatabaseAsync();
            body = await StoreAsync(bench, database, messages);
            var (relayed, cpu) = await DrainAsync(bench, database, messages);
            await bench.ExpectAsync(Queue, messages);
            await bench.DropDatabaseAsync(database);

            var (published, publishedCpu) = await PublishAsync(bench, body, messages);
            await bench.ExpectAsync(Queue, messages);
            if (round == 0)
                continue;                                  // the first warms up
            relay.Add(messages / relayed.TotalSeconds);
            client.Add(messages / published.TotalSeconds);
            relayCpu.Add(cpu.TotalMicroseconds / messages);
            clientCpu.Add(publishedCpu.TotalMicroseconds / messages);
        }

        report.Compare("Relay: drain of a backlog", Report.Median(relay), Report.Median(client), "msg/s", "≥ 0.80");
        report.Compare("Relay: CPU of this process", Report.Median(relayCpu), Report.Median(clientCpu), "µs/msg", "");
        await CountAsync(bench, report, messages);
    }

    /// <summary>Captures one message and multiplies its row, each with an id and a key of its own.</summary>
    private static async Task<byte[]> StoreAsync(Bench bench, string database, int messages)
    {
        using var host = bench.NewHost(database, x => x.AddEntityFrameworkOutbox<BenchDb>(o => o.DisableDeliveryService()));
        await using var scope = host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<BenchDb>();
        await db.Database.EnsureCreatedAsync();
        await scope.ServiceProvider.GetRequiredService<IOutbox<BenchDb>>().Publish(ItemAdded.OneKilobyte());
        await db.SaveChangesAsync();
        var template = await db.Set<OutboxMessage>().AsNoTracking().SingleAsync();

        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand("""
            INSERT INTO "OutboxMessage" ("Partition", "KeyHash", "State", "Holds", "Attempts", "Returns", "CreatedAt", "MessageId", "ConversationId",
                "MessageType", "DestinationAddress", "ContentType", "Metadata", "Body", "Size")
            SELECT n % 16, n, "State", "Holds", "Attempts", "Returns", "CreatedAt", gen_random_uuid(), gen_random_uuid(),
                "MessageType", "DestinationAddress", "ContentType", "Metadata", "Body", "Size"
            FROM "OutboxMessage", generate_series(1, @messages - 1) n
            """);
        command.Parameters.AddWithValue("messages", messages);
        await command.ExecuteNonQueryAsync();
        await using var analyze = source.CreateCommand("VACUUM ANALYZE \"OutboxMessage\"");
        await analyze.ExecuteNonQueryAsync();
        return template.Body;
    }

    private static async Task<(TimeSpan Elapsed, TimeSpan Cpu)> DrainAsync(Bench bench, string database, int messages)
    {
        using var host = bench.NewHost(database, x => x.AddEntityFrameworkOutbox<BenchDb>());
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        await host.StartAsync();
        var start = await UntilAsync(database, messages, left => left < messages);
        var end = await UntilAsync(database, messages, left => left == 0);
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        await host.StopAsync();
        return (Stopwatch.GetElapsedTime(start, end), cpu);
    }

    private static async Task<long> UntilAsync(string database, int messages, Func<long, bool> reached)
    {
        await using var source = NpgsqlDataSource.Create(database);
        while (true)
        {
            // The sequence starts with the first row, and rows leave nearly in order: cheap, and exact at the end.
            await using var command = source.CreateCommand("SELECT count(*) FROM (SELECT 1 FROM \"OutboxMessage\" LIMIT @messages) r");
            command.Parameters.AddWithValue("messages", messages);
            var left = (long)(await command.ExecuteScalarAsync())!;
            if (reached(left))
                return Stopwatch.GetTimestamp();
            await Task.Delay(TimeSpan.FromMilliseconds(left > 2000 ? 50 : 5), TimeProvider.System);
        }
    }

    private static async Task<(TimeSpan Elapsed, TimeSpan Cpu)> PublishAsync(Bench bench, byte[] body, int messages)
    {
        await using var connection = await bench.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(
            publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, outstandingPublisherConfirmationsRateLimiter: null));
        var properties = new BasicProperties { Persistent = true, ContentType = "application/vnd.masstransit+json" };
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var start = Stopwatch.GetTimestamp();
        using var window = new SemaphoreSlim(Window);
        var publishes = new List<Task>(messages);
        for (var i = 0; i < messages; i++)
        {
            await window.WaitAsync();
            publishes.Add(Publish());
        }
        await Task.WhenAll(publishes);
        var elapsed = Stopwatch.GetElapsedTime(start);
        return (elapsed, Process.GetCurrentProcess().TotalProcessorTime - cpu);

        async Task Publish()
        {
            await channel.BasicPublishAsync(ItemAdded.Exchange, "", mandatory: true, properties, body);
            window.Release();
        }
    }

    /// <summary>Commands and commits, counted in a run of their own so that counting slows nothing.</summary>
    private static async Task CountAsync(Bench bench, Report report, int messages)
    {
        var database = await bench.NewDatabaseAsync();
        await StoreAsync(bench, database, messages);
        using (var counter = new CommandCounter())
        {
            await DrainAsync(bench, database, messages);
            report.Add("Relay: commands a message", (double)counter.Commands / messages, "", "≤ 0.02");
        }
        await bench.ExpectAsync(Queue, messages);
        await bench.DropDatabaseAsync(database);
    }
}
