using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox;

namespace Benchmarks;

/// <summary>What a message adds to the <c>SaveChanges</c> of one business row.</summary>
internal static class CaptureCost
{
    private const int Saves = 2000;

    public static async Task RunAsync(Bench bench, Report report, int rounds)
    {
        var database = await bench.NewDatabaseAsync();
        using var host = bench.NewHost(database, x => x.AddEntityFrameworkOutbox<BenchDb>(o => o.DisableDeliveryService()));
        await using (var scope = host.Services.CreateAsyncScope())
            await scope.ServiceProvider.GetRequiredService<BenchDb>().Database.EnsureCreatedAsync();
        await host.StartAsync();

        var (with, without, two) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round <= rounds; round++)
        {
            var (row, message, rows) = (await SaveAsync(host.Services, 0), await SaveAsync(host.Services, 1), await SaveAsync(host.Services, 0, rows: 2));
            if (round == 0)
                continue;
            without.Add(row);
            with.Add(message);
            two.Add(rows);
        }

        // A save of one row is its own transaction, as one of new rows and messages is; one of two rows needs a BEGIN and a COMMIT.
        report.Ratio("Capture: SaveChanges with a message", with, without, "µs", atMost: 1.2);
        report.Ratio("Capture: SaveChanges with a second row instead", two, without, "µs");
        using (var counter = new CommandCounter())
        {
            await SaveAsync(host.Services, 1);
            var withMessage = counter.Commands;
            await SaveAsync(host.Services, 0);
            var alone = counter.Commands - withMessage;
            report.Ratio("Capture: commands a save", [Math.Round((double)withMessage / Saves, 2)], [Math.Round((double)alone / Saves, 2)], "", atMost: 1);
            var before = counter.Commands;
            await SaveAsync(host.Services, 100, saves: 1);
            report.Value("Capture: commands for 100 messages in one save", counter.Commands - before, "", atMost: 3);
        }

        var (committed, plain) = (await CommitsAsync(database, host.Services, messages: 1), await CommitsAsync(database, host.Services, messages: 0));
        report.Ratio("Capture: commits a save (with the pool's resets)", [committed], [plain], "", atMost: 1);
        await host.StopAsync();
        await bench.DropDatabaseAsync(database);
    }

    private static async Task<double> CommitsAsync(string database, IServiceProvider services, int messages)
    {
        var before = await Bench.CommitsAsync(database);
        await SaveAsync(services, messages);
        return (double)(await Bench.CommitsAsync(database) - before) / Saves;
    }

    /// <summary>The median save, in microseconds.</summary>
    private static async Task<double> SaveAsync(IServiceProvider services, int messages, int saves = Saves, int rows = 1)
    {
        var times = new double[saves];
        for (var i = 0; i < saves; i++)
        {
            await using var scope = services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<BenchDb>();
            var outbox = scope.ServiceProvider.GetRequiredService<IOutbox<BenchDb>>();
            var start = Stopwatch.GetTimestamp();
            for (var row = 0; row < rows; row++)
                db.Items.Add(new Item { Id = NewId.NextGuid(), Name = "item" });
            for (var message = 0; message < messages; message++)
                await outbox.Publish(ItemAdded.OneKilobyte());
            await db.SaveChangesAsync();
            times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        return Report.Median(times);
    }
}
