using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using RabbitMQ.Client;

namespace Benchmarks;

/// <summary>What the inbox adds to a consumer that inserts one row in a transaction.</summary>
internal static class InboxCost
{
    private const int Messages = 5000;
    private const string Queue = "bench-inbox";

    public static async Task RunAsync(Bench bench, Report report, int rounds)
    {
        var (with, without) = (new List<double>(), new List<double>());
        var (withCommands, withoutCommands, withCommits, withoutCommits) = (0.0, 0.0, 0.0, 0.0);
        for (var round = 0; round <= rounds + 1; round++)
        {
            // The first round warms up; the last one only counts, so that counting slows nothing.
            using var counter = round > rounds ? new CommandCounter() : null;
            var (plain, plainCommands, plainCommits) = await ConsumeAsync(bench, inbox: false, counter);
            var (inbox, inboxCommands, inboxCommits) = await ConsumeAsync(bench, inbox: true, counter);
            if (counter is not null)
                (withCommands, withoutCommands, withCommits, withoutCommits) = (inboxCommands, plainCommands, inboxCommits, plainCommits);
            else if (round > 0)
                (with, without) = ([.. with, inbox], [.. without, plain]);
        }

        report.Compare("Inbox: consuming with one insert", Report.Median(with), Report.Median(without), "msg/s", "≥ 0.75");
        report.Compare("Inbox: commands a message", withCommands, withoutCommands, "", "≤ 3 more");
        report.Compare("Inbox: commits a message, with the pool's resets", withCommits, withoutCommits, "", "as many");
    }

    private static async Task<(double Rate, double Commands, double Commits)> ConsumeAsync(Bench bench, bool inbox, CommandCounter? counter)
    {
        var database = await bench.NewDatabaseAsync();
        using var host = bench.NewHost(
            database,
            x =>
            {
                x.AddEntityFrameworkOutbox<BenchDb>(o => o.DisableDeliveryService());
                x.AddConsumer<InsertItem>();
            },
            (cfg, context) => cfg.ReceiveEndpoint(Queue, e =>
            {
                e.PrefetchCount = 64;
                if (inbox)
                    e.UseEntityFrameworkOutbox<BenchDb>(context);
                e.ConfigureConsumer<InsertItem>(context);
            }));
        await using (var scope = host.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<BenchDb>().Database.EnsureCreatedAsync();

        // The messages lie in the queue before the consumer starts: what is measured is consuming alone.
        await bench.BindAsync(Queue, ItemAdded.Exchange);
        await FillAsync(bench);
        var commits = await CommitsAsync(database);
        var commands = counter?.Commands ?? 0;
        InsertItem.Reset(Messages);
        await host.StartAsync();
        await InsertItem.First;
        var start = Stopwatch.GetTimestamp();
        await InsertItem.All;
        var rate = Messages / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await host.StopAsync();
        var used = ((counter?.Commands ?? 0) - commands, await CommitsAsync(database) - commits);
        await bench.DropDatabaseAsync(database);
        return (rate, (double)used.Item1 / Messages, (double)used.Item2 / Messages);
    }

    private static async Task FillAsync(Bench bench)
    {
        using var host = bench.NewHost((await bench.NewDatabaseAsync())!, _ => { });
        await host.StartAsync();
        var bus = host.Services.GetRequiredService<IBus>();
        await Task.WhenAll(Enumerable.Range(0, Messages).Select(_ => bus.Publish(ItemAdded.OneKilobyte())));
        await host.StopAsync();
    }

    private static async Task<long> CommitsAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand("SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot(); SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
        await using var reader = await command.ExecuteReaderAsync();
        await reader.NextResultAsync();
        await reader.NextResultAsync();
        await reader.ReadAsync();
        return reader.GetInt64(0);
    }

    private sealed class InsertItem(BenchDb db) : IConsumer<ItemAdded>
    {
        private static TaskCompletionSource s_first = new();
        private static TaskCompletionSource s_all = new();
        private static int s_left;

        public static Task First => s_first.Task;

        public static Task All => s_all.Task;

        public static void Reset(int messages)
            => (s_first, s_all, s_left) = (new(TaskCreationOptions.RunContinuationsAsynchronously), new(TaskCreationOptions.RunContinuationsAsynchronously), messages);

        public async Task Consume(ConsumeContext<ItemAdded> context)
        {
            db.Items.Add(new Item { Id = context.Message.Id, Name = context.Message.Text });
            await db.SaveChangesAsync(context.CancellationToken);
            s_first.TrySetResult();
            if (Interlocked.Decrement(ref s_left) == 0)
                s_all.TrySetResult();
        }
    }
}
