using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class ServiceProcessTests
{
    // This assembly can be run as a program too; it does nothing and ends.
    private static readonly string Ending = ServiceProcess.AssemblyOf("tests/Outbox.UnitTests");

    [Fact]
    public async Task One_that_ends_early_fails_the_wait_at_once()
    {
        await using var service = ServiceProcess.Start(Ending);

        var line = await Should.ThrowAsync<InvalidOperationException>(() => service.WaitForLine(_ => false));
        line.Message.ShouldContain("ended with 0");

        var health = await Should.ThrowAsync<InvalidOperationException>(
            () => service.WaitForHealthAsync(new Uri($"http://127.0.0.1:{FreePort.Next()}/health/live")));
        health.Message.ShouldContain("ended with 0");
    }

    [Fact]
    public void An_assembly_that_was_not_built_is_named()
    {
        var missing = Should.Throw<FileNotFoundException>(() => ServiceProcess.Start(ServiceProcess.AssemblyOf("None")));

        missing.Message.ShouldContain("None.dll");
    }
}
