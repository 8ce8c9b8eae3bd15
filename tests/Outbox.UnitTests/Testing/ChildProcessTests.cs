using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class ChildProcessTests
{
    [SkippableFact]
    public async Task Its_lines_are_kept_and_its_exit_code_known()
    {
        OnUnix();
        await using var process = Shell("echo out; echo \"$GREETING\" >&2; exit 3", ("GREETING", "hello"));

        await process.WaitForExitAsync();

        process.ExitCode.ShouldBe(3);
        (await process.Output.WaitForCount(2)).ShouldBe(["out", "hello"], ignoreOrder: true);
    }

    [SkippableFact]
    public async Task It_takes_signals_and_one_that_ignores_them_is_killed()
    {
        OnUnix();
        await using var obedient = Shell("trap 'echo stopped; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
        await obedient.Output.WaitFor(line => line == "ready");
        await obedient.StopAsync();
        obedient.ExitCode.ShouldBe(0);
        await obedient.Output.WaitFor(line => line == "stopped");

        await using var stubborn = Shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        await stubborn.Output.WaitFor(line => line == "ready");
        await Should.ThrowAsync<TimeoutException>(() => stubborn.StopAsync(limit: TimeSpan.FromMilliseconds(50)));
        await stubborn.WaitForExitAsync();
        stubborn.ExitCode.ShouldBe(128 + 9);
    }

    [SkippableFact]
    public async Task Paused_it_does_nothing_until_it_goes_on()
    {
        OnUnix();
        await using var process = Shell("i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done");
        await process.Output.WaitForCount(2);

        process.Send(UnixSignal.Stop);
        await Eventually.Is(() => File.ReadAllText($"/proc/{process.Id}/stat").Contains(") T ", StringComparison.Ordinal));
        var printed = process.Output.Count;
        process.Send(UnixSignal.Continue);

        await process.Output.WaitForCount(printed + 3);
        await process.KillAsync();
        process.HasExited.ShouldBeTrue();
    }

    [SkippableFact]
    public async Task A_command_that_fails_says_what_it_printed()
    {
        OnUnix();
        (await ChildProcess.RunAsync("/bin/sh", ["-c", "cat"], standardInput: "in")).ShouldBe("in");

        var failure = await Should.ThrowAsync<InvalidOperationException>(
            () => ChildProcess.RunAsync("/bin/sh", ["-c", "echo because >&2; exit 1"]));

        failure.Message.ShouldContain("because");
    }

    [SkippableFact]
    public async Task A_command_that_does_not_end_is_killed_with_its_children()
    {
        OnUnix();
        var file = Path.GetTempFileName();
        try
        {
            var failure = await Should.ThrowAsync<TimeoutException>(() => ChildProcess.RunAsync(
                "/bin/sh", ["-c", $"sleep 1000 & echo $! > {file}; wait"], limit: TimeSpan.FromSeconds(1)));

            failure.Message.ShouldContain("sleep 1000");
            var child = (await File.ReadAllTextAsync(file)).Trim();
            await Eventually.Is(() => !Directory.Exists($"/proc/{child}") || File.ReadAllText($"/proc/{child}/stat").Contains(") Z ", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static ChildProcess Shell(string script, params (string Name, string Value)[] environment) =>
        ChildProcess.Start("/bin/sh", ["-c", script], environment.ToDictionary(v => v.Name, v => (string?)v.Value, StringComparer.Ordinal));

    private static void OnUnix() => Skip.IfNot(OperatingSystem.IsLinux(), "Needs /bin/sh and /proc.");
}
