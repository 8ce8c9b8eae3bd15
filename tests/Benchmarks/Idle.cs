using System.Diagnostics;
using Microsoft.Extensions.Hosting;

namespace Benchmarks;

/// <summary>What a relay costs that has nothing to do, the host and the bus around it included.</summary>
internal static class Idle
{
    // What runs once a second is compiled anew after 30 runs, and after 30 more: until then the compiler costs several times what runs.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(75);

    public static async Task RunAsync(Bench bench, Report report, TimeSpan duration)
    {
        await using var backlog = await Backlog.StoreAsync(bench, messages: 1);
        await bench.BindAsync(Backlog.Queue, ItemAdded.Exchange);
        using var host = backlog.NewRelay();
        await host.StartAsync();
        await Task.Delay(Rest, TimeProvider.System);

        using var counter = new CommandCounter();
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        var (cpu, allocated, started) = (Process.GetCurrentProcess().TotalProcessorTime, GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp());
        await Task.Delay(duration, TimeProvider.System);
        var elapsed = Stopwatch.GetElapsedTime(started);
        var used = (Process.GetCurrentProcess().TotalProcessorTime - cpu) / elapsed * 100;
        var bytes = (GC.GetTotalAllocatedBytes() - allocated) / elapsed.TotalSeconds;
        var growth = (GC.GetTotalMemory(forceFullCollection: true) - heap) / 1024.0;
        report.Value("Idle: commands a second, beats and full looks included", counter.Commands / elapsed.TotalSeconds, "", atMost: 3);
        report.Value("Idle: CPU", used, "% of a core", atMost: 0.5);
        report.Value("Idle: allocated", bytes / 1024, "kB/s");
        report.Value($"Idle: growth of the heap in {elapsed.TotalSeconds:0} s", growth, "kB", atMost: 256);
        await host.StopAsync();
    }
}
