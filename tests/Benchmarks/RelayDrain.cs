using RabbitMQ.Client;

namespace Benchmarks;

/// <summary>
/// How fast a backlog is relayed, beside what the broker's own client publishes of the same messages with confirms and the same number on their
/// way. Both publish persistent, mandatory messages into a durable, bound queue.
/// </summary>
internal static class RelayDrain
{
    private const int Window = 1000;
    private const int Keys = 256;
    private const int Megabyte = 1024 * 1024;

    public static async Task RunAsync(Bench bench, Report report, int rounds, int messages)
    {
        await bench.BindAsync(Backlog.Queue, ItemAdded.Exchange);
        var (relay, client, books) = (new List<Passage>(), new List<Passage>(), default(Books));
        for (var round = 0; round <= rounds; round++)
        {
            await using var backlog = await Backlog.StoreAsync(bench, messages);
            var relayed = await backlog.DrainAsync();
            var sample = await bench.PeekAsync(Backlog.Queue);
            books += await backlog.ReadBackAsync();

            var properties = new BasicProperties(sample.BasicProperties);
            var published = await Passage.OfAsync(bench, Backlog.Queue, 0, messages, () => PublishAsync(bench, sample.Body.ToArray(), properties, messages));
            Console.WriteLine($"  {(round == 0 ? "warm-up" : $"round {round}")}: relay {relayed}; client {published}");
            if (round == 0)
                continue;
            relay.Add(relayed);
            client.Add(published);
        }

        report.Ratio("Relay: drain of a backlog", relay.Select(r => r.Rate), client.Select(c => c.Rate), "msg/s", atLeast: 0.95, books: books);
        report.Ratio("Relay: CPU of this process", relay.Select(r => r.Cpu), client.Select(c => c.Cpu), "µs/msg", atMost: 3);
        report.Ratio("Relay: allocated", relay.Select(r => r.Allocated), client.Select(c => c.Allocated), "B/msg");
        await CountAsync(bench, report, messages);
    }

    /// <summary>Few keys, so that each has many messages: read back, they are in their order.</summary>
    public static async Task OrderAsync(Bench bench, Report report, int messages)
    {
        await bench.BindAsync(Backlog.Queue, ItemAdded.Exchange);
        await using var backlog = await Backlog.StoreAsync(bench, messages, Keys);
        var passage = await backlog.DrainAsync();
        var books = await backlog.ReadBackAsync();
        report.Value($"Order: drain with {Keys} keys", passage.Rate, "msg/s", books: books);
        report.Value("Order: messages behind a later one of their key", books.Disordered, "", atMost: 0);
    }

    public static async Task ScaleOutAsync(Bench bench, Report report, int rounds, int messages)
    {
        await bench.BindAsync(Backlog.Queue, ItemAdded.Exchange);
        var (one, two, books) = (new List<double>(), new List<double>(), default(Books));
        for (var round = 0; round <= rounds; round++)
        {
            foreach (var (replicas, rates) in new[] { (1, one), (2, two) })
            {
                await using var backlog = await Backlog.StoreAsync(bench, messages);
                var rate = (await backlog.DrainAsync(replicas: replicas)).Rate;
                books += await backlog.ReadBackAsync();
                if (round > 0)
                    rates.Add(rate);
            }
        }

        report.Ratio("Scale-out: two replicas beside one", two, one, "msg/s", atLeast: 1, books: books);
    }

    /// <summary>The heap of the whole process, host and transport included.</summary>
    public static async Task MemoryAsync(Bench bench, Report report, int messages)
    {
        await bench.BindAsync(Backlog.Queue, ItemAdded.Exchange);
        foreach (var (count, size, name) in new[] { (messages, (int?)null, "1 KB"), (10 * messages, null, "1 KB"), (1000, Megabyte, "1 MB") })
        {
            GC.Collect();
            await using var backlog = await Backlog.StoreAsync(bench, count, size: size);
            var passage = await backlog.DrainAsync();
            var books = count > messages ? (Books?)null : await backlog.ReadBackAsync();
            report.Value($"Memory: most heap with a backlog of {count:N0} × {name}", passage.Heap / 1048576.0, "MB", atMost: 256, books: books);
        }
    }

    /// <summary>The broker's own client, with the same bodies, headers and properties as the relay sent.</summary>
    private static async Task PublishAsync(Bench bench, byte[] body, BasicProperties properties, int messages)
    {
        await using var connection = await bench.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(
            publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, outstandingPublisherConfirmationsRateLimiter: null));
        using var window = new SemaphoreSlim(Window);
        var publishes = new List<Task>(messages);
        for (var i = 0; i < messages; i++)
        {
            await window.WaitAsync();
            publishes.Add(Publish());
        }
        await Task.WhenAll(publishes);

        async Task Publish()
        {
            await channel.BasicPublishAsync(ItemAdded.Exchange, "", mandatory: true, properties, body);
            window.Release();
        }
    }

    /// <summary>Commands, counted in a run of their own so that counting slows nothing.</summary>
    private static async Task CountAsync(Bench bench, Report report, int messages)
    {
        await using var backlog = await Backlog.StoreAsync(bench, messages);
        using var counter = new CommandCounter();
        var commits = await Bench.CommitsAsync(backlog.Database);
        await backlog.DrainAsync();
        report.Value("Relay: commands a message", (double)counter.Commands / messages, "", atMost: 0.02);
        report.Value("Relay: commits a message (with the pool's resets)", (double)(await Bench.CommitsAsync(backlog.Database) - commits) / messages, "");
    }
}
