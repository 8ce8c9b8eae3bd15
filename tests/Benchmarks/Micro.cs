using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox;
using Outbox.Relaying;

namespace Benchmarks;

/// <summary>The small parts, by BenchmarkDotNet: time and allocation of what is done once a message.</summary>
[MemoryDiagnoser]
public class Micro
{
    private const int Messages = 1000;

    private static string s_database = "";
    private static Bench? s_bench;

    private readonly List<StoredMessage> _messages = [.. Enumerable.Range(1, Messages).Select(n => new StoredMessage
    {
        SequenceNumber = n, Partition = n % 16, KeyHash = n, MessageId = NewId.NextGuid(), MessageType = "urn:message:Benchmarks:ItemAdded",
        DestinationAddress = "exchange:Benchmarks:ItemAdded", ContentType = "application/vnd.masstransit+json", Metadata = """{"published":true,"mandatory":true}""", Body = [], Size = 1024,
    })];

    private IHost? _host;

    /// <summary>Runs all of them.</summary>
    internal static async Task RunAsync(Bench bench, Report report)
    {
        (s_bench, s_database) = (bench, await bench.NewDatabaseAsync());
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(NullLogger.Instance)
            .WithOptions(ConfigOptions.DisableLogFile)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "outbox-micro"));
        foreach (var measured in BenchmarkRunner.Run<Micro>(config).Reports)
        {
            var name = measured.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo.Trim('\'');
            if (measured.ResultStatistics is not { } statistics)
                throw new InvalidOperationException($"BenchmarkDotNet could not run {name}.");
            report.Value($"Micro: {name}, time", statistics.Median / 1000, "µs");
            report.Value($"Micro: {name}, allocated", measured.GcStats.GetBytesAllocatedPerOperation(measured.BenchmarkCase) ?? double.NaN, "B");
        }

        await bench.DropDatabaseAsync(s_database);
    }

    [GlobalSetup]
    public async Task SetUp()
    {
        _host = s_bench!.NewHost(s_database, x => x.AddEntityFrameworkOutbox<BenchDb>(o => o.DisableDeliveryService()));
        await using var scope = _host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<BenchDb>().Database.EnsureCreatedAsync();
    }

    [GlobalCleanup]
    public void CleanUp() => _host?.Dispose();

    [Benchmark(Description = "SaveChanges of a row")]
    public Task SaveRow() => Save(0);

    [Benchmark(Description = "SaveChanges of a row and a message")]
    public Task SaveRowAndMessage() => Save(1);

    [Benchmark(Description = "a message's way through the relay's window", OperationsPerInvoke = Messages)]
    public int Window()
    {
        var window = new MessageWindow(Messages, Messages);
        window.Add(_messages);
        while (window.Next(out _) is { } message)
            window.Finish(message, Outcome.Confirmed, holds: false);
        var settled = window.TakeSettled();
        window.Forget(settled.Select(s => s.Message));
        return settled.Count;
    }

    private async Task Save(int messages)
    {
        await using var scope = _host!.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<BenchDb>();
        db.Items.Add(new Item { Id = NewId.NextGuid(), Name = "item" });
        for (var message = 0; message < messages; message++)
            await scope.ServiceProvider.GetRequiredService<IOutbox<BenchDb>>().Publish(ItemAdded.OneKilobyte());
        await db.SaveChangesAsync();
    }
}
