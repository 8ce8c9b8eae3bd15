using System.Globalization;
using Benchmarks;

// ./bench.sh [--rounds 5] [--messages 100000] [--part 1] [--out artifacts] [case ...]
// Cases: relay order scaleout memory flat capture inbox latency idle micro; all of them when none is named. webhooks is one of its own, with
// [--rate 200] [--seconds 20] [--database "Max Auto Prepare=0"], which is added to the connection string.
var options = Options.Read(args);
await using var bench = await Bench.StartAsync();
var servers = await bench.ServerVersionsAsync();
var machine = string.Create(CultureInfo.InvariantCulture,
    $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1073741824.0:0} GB, .NET {Environment.Version}, {servers}; {options.Rounds} rounds of {options.Messages:N0} messages of 1 KB after a warm-up, medians.");
Console.WriteLine(machine);
if (options.Cases.Contains("webhooks"))
{
    await WebhookDelivery.RunAsync(bench, options.Database, options.Rate, TimeSpan.FromSeconds(options.Seconds));
    return;
}

var report = new Report(machine);
(string Name, Func<Task> Run)[] cases =
[
    ("relay", () => RelayDrain.RunAsync(bench, report, options.Rounds, options.Messages)),
    ("order", () => RelayDrain.OrderAsync(bench, report, options.Messages)),
    ("scaleout", () => RelayDrain.ScaleOutAsync(bench, report, options.Rounds, options.Messages)),
    ("memory", () => RelayDrain.MemoryAsync(bench, report, options.Messages)),
    ("flat", () => Flatness.RunAsync(bench, report, options.Rounds, options.Part)),
    ("capture", () => CaptureCost.RunAsync(bench, report, options.Rounds)),
    ("inbox", () => InboxCost.RunAsync(bench, report, options.Rounds)),
    ("latency", () => Latency.RunAsync(bench, report, TimeSpan.FromSeconds(30))),
    ("idle", () => Idle.RunAsync(bench, report, TimeSpan.FromSeconds(30))),
    ("micro", () => Micro.RunAsync(bench, report)),
];
foreach (var (name, run) in cases.Where(c => options.Cases.Count == 0 || options.Cases.Contains(c.Name)))
{
    Console.WriteLine($"-- {name}");
    await run();
    await report.WriteAsync(options.Out);
}

Console.WriteLine();
report.Print(Console.Out);
