using System.Globalization;
using Benchmarks;

// dotnet run -c Release --project tests/Benchmarks [-- rounds [messages]]
// dotnet run -c Release --project tests/Benchmarks -- webhooks [seconds]
if (args is ["webhooks", ..])
{
    await using var servers = await Bench.StartAsync();
    Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, {await servers.ServerVersionsAsync()}.");
    await WebhookDelivery.RunAsync(servers, TimeSpan.FromSeconds(args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20));
    return;
}

var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 3;
var messages = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 50_000;

await using var bench = await Bench.StartAsync();
Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, {await bench.ServerVersionsAsync()}; {rounds} rounds of {messages:N0} messages of 1 KB; medians.");

var report = new Report();
if (messages > 0) await RelayDrain.RunAsync(bench, report, rounds, messages);
if (args.Length <= 2) await CaptureCost.RunAsync(bench, report, rounds);
if (args.Length <= 2) await InboxCost.RunAsync(bench, report, rounds);
report.Print(Console.Out);
