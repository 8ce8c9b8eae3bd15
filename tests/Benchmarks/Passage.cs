using System.Diagnostics;
using RabbitMQ.Client;

namespace Benchmarks;

/// <summary>
/// What it took to fill a queue: from the moment the broker counts the first messages in it until it counts the last one. What came before, the
/// start of a host or the opening of a connection, is not in it.
/// </summary>
/// <param name="Rate">Messages a second.</param>
/// <param name="Cpu">CPU time of this process a message, in microseconds; the counting, some 50 questions a second, is in it.</param>
/// <param name="Allocated">Bytes allocated a message.</param>
/// <param name="Heap">The largest heap seen, in bytes.</param>
internal readonly record struct Passage(double Rate, double Cpu, double Allocated, long Heap)
{
    // A broker slows down when it has to move messages out of its memory; so many are counted and thrown away at a time. That takes it
    // seconds in which it does nothing else, so it is done once more just before what is measured, if many are there.
    private const int Crowd = 250_000;
    private const int Many = 10_000;
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    /// <summary>Fills a queue and watches it until it holds, or has held, what it is to hold.</summary>
    /// <param name="bench">The broker.</param>
    /// <param name="queue">The queue, which is empty.</param>
    /// <param name="from">How many messages come before those that are measured.</param>
    /// <param name="to">How many messages there are then.</param>
    /// <param name="fill">Begins to fill it.</param>
    public static async Task<Passage> OfAsync(Bench bench, string queue, int from, int to, Func<Task> fill)
    {
        await using var connection = await bench.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.MessageCountAsync(queue);
        var (gone, heap) = (0L, 0L);
        var filling = fill();
        if (from >= Many)
        {
            await UntilAsync(from);
            gone += await channel.QueuePurgeAsync(queue);
        }

        var (first, start) = await UntilAsync(Math.Max(1, from));
        var (last, end) = await UntilAsync(to);
        await filling;
        double passed = last - first;
        return new Passage(
            passed / Stopwatch.GetElapsedTime(start.At, end.At).TotalSeconds, (end.Cpu - start.Cpu).TotalMicroseconds / passed, (end.Allocated - start.Allocated) / passed, heap);

        async Task<(long Count, (long At, TimeSpan Cpu, long Allocated) Point)> UntilAsync(int count)
        {
            while (true)
            {
                var found = await channel.MessageCountAsync(queue);
                heap = Math.Max(heap, GC.GetTotalMemory(forceFullCollection: false));
                if (gone + found >= count)
                    return (gone + found, (Stopwatch.GetTimestamp(), Process.GetCurrentProcess().TotalProcessorTime, GC.GetTotalAllocatedBytes()));
                if (found >= Crowd)
                    gone += await channel.QueuePurgeAsync(queue);
                if (filling.IsFaulted)
                    await filling;
                await Task.Delay(Period, TimeProvider.System);
            }
        }
    }

    public override string ToString() => FormattableString.Invariant($"{Rate:N0} msg/s, {Cpu:N1} µs, {Allocated:N0} B, heap {Heap / 1048576:N0} MB");
}
