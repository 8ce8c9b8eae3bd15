using System.Text.RegularExpressions;
using Outbox.Testing;

namespace EndToEnd.Tests;

/// <summary>What a newcomer does first: start Local and type what it prints.</summary>
public partial class TourTests
{
    [SkippableFact]
    public async Task The_commands_that_Local_prints_work_as_printed()
    {
        Require.Available(OperatingSystem.IsWindows() ? "No POSIX shell to type the commands into." : null);
        Require.Available(await HasCurlAsync() ? null : "No curl (Debian, Ubuntu: apt-get install curl).");
        await using var local = new LocalInstallation();
        await local.StartAsync();
        await local.Replica.Process.WaitForLine(line => line.StartsWith("Stop it", StringComparison.Ordinal));

        // A command may go on in a second line.
        var text = string.Join('\n', local.Replica.Process.Output.Values).Replace("\\\n", "", StringComparison.Ordinal);
        var commands = text.Split('\n').Where(line => line.StartsWith("  curl ", StringComparison.Ordinal)).ToList();
        commands.Count.ShouldBe(8);

        (await TypeAsync(commands[0])).ShouldContain("201 Created");
        var users = await TypeAsync(commands[1]);
        users.ShouldContain("\"userName\":\"ada\"");

        var id = AnId().Match(users).Value;
        commands = commands.ConvertAll(command => command.Replace("<the user's id>", id, StringComparison.Ordinal));
        var (account, topUp, misbehave, topUps, total, told) = (commands[2], commands[3], commands[4], commands[5], commands[6], commands[7]);
        await Eventually.Holds(async () => (await TypeAsync(account)).ShouldContain("\"balance\":100"));

        var bought = await TypeAsync(topUp);
        bought.ShouldContain("202 Accepted");
        bought.ShouldContain("\"state\":\"succeeded\"");
        await Eventually.Holds(async () => (await TypeAsync(account)).ShouldContain("\"balance\":600"));
        (await TypeAsync(topUps)).ShouldContain("\"state\":\"succeeded\"");

        // The provider takes the money and does not say so, however often it is asked: the check-back finds out.
        (await TypeAsync(misbehave)).ShouldContain("charge-then-hang");
        (await TypeAsync(topUp)).ShouldContain("\"state\":\"pending\"");
        (await TypeAsync(total)).ShouldContain("\"total\":1000");
        await Eventually.Holds(async () => (await TypeAsync(account)).ShouldContain("\"balance\":1100"), Eventually.Limit * 2);
        (await TypeAsync(topUps)).ShouldNotContain("pending");

        await Eventually.Holds(async () => (await TypeAsync(told)).ShouldContain($"welcome:{id}"));
        await Eventually.Holds(async () => (await TypeAsync(told)).ShouldContain("top-up:"));
    }

    private static Task<string> TypeAsync(string command) => ChildProcess.RunAsync("/bin/sh", ["-c", command]);

    private static async Task<bool> HasCurlAsync() => (await TypeAsync("command -v curl || true")).Length > 0;

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f-]{27}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AnId();
}
