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
    private const int Messages = 10_000;
    private const string Queue = "bench-inbox";

    private const int BatchSize = 100;

    private enum Form
    {
        Plain,
        InTransaction,
        Inbox,
        LeftToInbox,
        Batch,
    }

    public static async Task RunAsync(Bench bench, Report report, int rounds)
    {
        var forms = Enum.GetValues<Form>();
        var rates = forms.ToDictionary(f => f, _ => new List<double>());
        var (used, books) = (new Dictionary<Form, (double Commands, double Commits)>(), default(Books));
        for (var round = 0; round <= rounds + 1; round++)
        {
            // The first round warms up; the last one only counts, so that counting slows nothing.
            using var counter = round > rounds ? new CommandCounter() : null;
            foreach (var form in forms)
            {
                var (rate, commands, commits, found) = await ConsumeAsync(bench, form, counter);
                if (counter is not null)
                    used[form] = (commands, commits);
                else if (round > 0)
                    rates[form].Add(rate);
                books += found;
            }
        }

        // The insert is a transaction by itself, without a BEGIN and a COMMIT; or a part of one, as it is with the inbox.
        foreach (var (reference, name) in new[] { (Form.InTransaction, "a transaction with the insert"), (Form.Plain, "the insert alone") })
        {
            report.Ratio($"Inbox: consuming with one insert, beside {name}", rates[Form.Inbox], rates[reference], "msg/s", atLeast: 0.75, books: books);
            report.Ratio($"Inbox: the same, and the save left to the inbox, beside {name}", rates[Form.LeftToInbox], rates[reference], "msg/s", atLeast: 0.75, books: books);
        }

        report.Ratio($"Inbox: batches of {BatchSize} beside single messages", rates[Form.Batch], rates[Form.Inbox], "msg/s", atLeast: 3, books: books);
        foreach (var form in forms)
        {
            var name = form switch { Form.Plain => "one insert alone", Form.InTransaction => "one insert in a transaction", Form.Inbox => "with the inbox", Form.LeftToInbox => "with the inbox, which saves", _ => $"with the inbox, batches of {BatchSize}" };
            report.Value($"Inbox: commands a message, {name}", used[form].Commands, "");
            report.Value($"Inbox: commits a message, {name} (with the pool's resets)", used[form].Commits, "");
        }
    }

    private static async Task<(double Rate, double Commands, double Commits, Books Books)> ConsumeAsync(Bench bench, Form form, CommandCounter? counter)
    {
        var database = await bench.NewDatabaseAsync();
        using var host = bench.NewHost(
            database,
            x =>
            {
                x.AddEntityFrameworkOutbox<BenchDb>(o => o.DisableDeliveryService());
                if (form == Form.Batch)
                    x.AddConsumer<InsertItems>(c => c.Options<BatchOptions>(o => o.SetMessageLimit(BatchSize).SetTimeLimit(ms: 200).SetConcurrencyLimit(4)));
                else if (form == Form.LeftToInbox)
                    x.AddConsumer<AddItem>();
                else if (form == Form.InTransaction)
                    x.AddConsumer<InsertItemInTransaction>();
                else
                    x.AddConsumer<InsertItem>();
            },
            (cfg, context) => cfg.ReceiveEndpoint(Queue, e =>
            {
                e.PrefetchCount = (ushort)(form == Form.Batch ? 6 * BatchSize : 64);
                if (form is not (Form.Plain or Form.InTransaction))
                    e.UseEntityFrameworkOutbox<BenchDb>(context);
                e.ConfigureConsumers(context);
            }));
        await using (var scope = host.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<BenchDb>().Database.EnsureCreatedAsync();

        // The messages lie in the queue before the consumer starts: what is measured is consuming alone.
        await bench.BindAsync(Queue, ItemAdded.Exchange);
        await FillAsync(bench);
        var commits = await Bench.CommitsAsync(database);
        var commands = counter?.Commands ?? 0;
        InsertItem.Reset(Messages);
        int inserted;
        await host.StartAsync();
        await InsertItem.First;
        var start = Stopwatch.GetTimestamp();
        await InsertItem.All;
        var rate = Messages / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await host.StopAsync();
        var used = ((counter?.Commands ?? 0) - commands, await Bench.CommitsAsync(database) - commits);
        await using (var scope = host.Services.CreateAsyncScope())
            inserted = await scope.ServiceProvider.GetRequiredService<BenchDb>().Items.CountAsync();
        await bench.DropDatabaseAsync(database);
        return (rate, (double)used.Item1 / Messages, (double)used.Item2 / Messages, new Books(Messages - inserted, InsertItem.Surplus, 0));
    }

    private static async Task FillAsync(Bench bench)
    {
        using var host = bench.NewHost((await bench.NewDatabaseAsync())!, _ => { });
        await host.StartAsync();
        var bus = host.Services.GetRequiredService<IBus>();
        await Task.WhenAll(Enumerable.Range(0, Messages).Select(_ => bus.Publish(ItemAdded.OneKilobyte())));
        await host.StopAsync();
    }

    internal sealed class InsertItem(BenchDb db) : IConsumer<ItemAdded>
    {
        private static TaskCompletionSource s_first = new();
        private static TaskCompletionSource s_all = new();
        private static int s_left;

        public static Task First => s_first.Task;

        public static Task All => s_all.Task;

        /// <summary>Messages that were consumed once too often.</summary>
        public static int Surplus => Math.Max(0, -s_left);

        public static void Reset(int messages)
            => (s_first, s_all, s_left) = (new(TaskCreationOptions.RunContinuationsAsynchronously), new(TaskCreationOptions.RunContinuationsAsynchronously), messages);

        public static void Done(int messages)
        {
            s_first.TrySetResult();
            if (Interlocked.Add(ref s_left, -messages) <= 0)
                s_all.TrySetResult();
        }

        public async Task Consume(ConsumeContext<ItemAdded> context)
        {
            db.Items.Add(new Item { Id = context.Message.Id, Name = context.Message.Text });
            await db.SaveChangesAsync(context.CancellationToken);
            Done(1);
        }
    }

    internal sealed class InsertItemInTransaction(BenchDb db) : IConsumer<ItemAdded>
    {
        public async Task Consume(ConsumeContext<ItemAdded> context)
        {
            await using var transaction = await db.Database.BeginTransactionAsync(context.CancellationToken);
            db.Items.Add(new Item { Id = context.Message.Id, Name = context.Message.Text });
            await db.SaveChangesAsync(context.CancellationToken);
            await transaction.CommitAsync(context.CancellationToken);
            InsertItem.Done(1);
        }
    }

    /// <summary>Leaves the save to the inbox.</summary>
    internal sealed class AddItem(BenchDb db) : IConsumer<ItemAdded>
    {
        public Task Consume(ConsumeContext<ItemAdded> context)
        {
            db.Items.Add(new Item { Id = context.Message.Id, Name = context.Message.Text });
            InsertItem.Done(1);
            return Task.CompletedTask;
        }
    }

    internal sealed class InsertItems(BenchDb db) : IConsumer<Batch<ItemAdded>>
    {
        public async Task Consume(ConsumeContext<Batch<ItemAdded>> context)
        {
            db.Items.AddRange(context.Message.Select(m => new Item { Id = m.Message.Id, Name = m.Message.Text }));
            await db.SaveChangesAsync(context.CancellationToken);
            InsertItem.Done(context.Message.Length);
        }
    }
}
