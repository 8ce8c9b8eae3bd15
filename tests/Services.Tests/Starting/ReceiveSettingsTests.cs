using Outbox.Testing;

namespace Services.Tests;

[Collection(ProcessTests.Name)]
public sealed class ReceiveSettingsTests
{
    // Which queues there are is known only when the bus is made, after the database: more may have been said by then.
    [Fact]
    public async Task Settings_for_a_queue_that_the_service_does_not_have_stop_its_start()
    {
        await using var database = TestDatabase.Sqlite();
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Database__Provider"] = database.Name,
            ["ConnectionStrings__Points"] = database.ConnectionString,
            ["Consumers__nobody__PrefetchCount"] = "1",
        };
        await using var process = ServiceProcess.Start(ServiceProcess.AssemblyOf("Points.Worker"), environment);
        await process.Process.WaitForExitAsync();

        process.Process.ExitCode.ShouldBe(1, process.Process.Tail());
        await process.Output.WaitFor(line => line == "Cannot start: Consumers__nobody is set, but this service receives from no queue of that name.");
    }
}
