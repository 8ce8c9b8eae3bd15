using System.Globalization;
using System.Text.RegularExpressions;
using Outbox.Testing;

namespace EndToEnd.Tests;

/// <summary>What a newcomer does first: start Local and type what it prints.</summary>
public partial class TourTests
{
    [SkippableFact]
    public async Task The_commands_that_Local_prints_work_as_printed()
    {
        await RequireCurlAsync();
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

    [SkippableFact]
    public async Task The_tour_of_the_README_goes_as_it_is_printed()
    {
        await RequireCurlAsync();
        await using var local = new LocalInstallation();
        await local.StartAsync();
        var (printed, real) = (new Names(), new Names());
        var steps = Step().Matches(await File.ReadAllTextAsync(Readme()));
        steps.Count.ShouldBe(10);

        foreach (Match step in steps)
        {
            var command = step.Groups["command"].Value.Replace("\\\n", "", StringComparison.Ordinal);
            var typed = real.Fill(printed.Hide(command))
                .Replace("localhost:5080", local.Replica.Address.Authority, StringComparison.Ordinal)
                .Replace("data/receiver.key", Path.Combine(local.Folder, "receiver.key"), StringComparison.Ordinal);
            var expected = Lines(printed.Hide(step.Groups["answer"].Value));

            // Every line that is printed is answered; of the headers only some are printed. What is only asked may take a moment.
            async Task Answers() => Lines(real.Hide(await TypeAsync(typed))).Intersect(expected, StringComparer.Ordinal).ShouldBe(expected, command);
            await (command.Contains(" -d ", StringComparison.Ordinal) ? Answers() : Eventually.Holds(Answers, Eventually.Limit * 2));
        }
    }

    private static string Readme()
    {
        var folder = Path.GetDirectoryName(ServiceProcess.AssemblyOf("Local"));
        while (!File.Exists(Path.Combine(folder!, "Outbox.sln")))
            folder = Path.GetDirectoryName(folder);
        return Path.Combine(folder!, "README.md");
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static async Task RequireCurlAsync()
    {
        Require.Available(OperatingSystem.IsWindows() ? "No POSIX shell to type the commands into." : null);
        Require.Available(await HasCurlAsync() ? null : "No curl (Debian, Ubuntu: apt-get install curl).");
    }

    private static Task<string> TypeAsync(string command) => ChildProcess.RunAsync("/bin/sh", ["-c", command]);

    private static async Task<bool> HasCurlAsync() => (await TypeAsync("command -v curl || true")).Length > 0;

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f-]{27}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AnId();

    // A line after a prompt, and those that it goes on in; up to an empty line outside of an answer's headers.
    [GeneratedRegex(@"^\$ (?<command>curl (.*\\\n)*.*)\n(?<answer>(HTTP(.+\n)+\n)?(.+\n)+?)(?=\n|```)", RegexOptions.ExplicitCapture | RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Step();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=""traceId"":"")[0-9a-f]+|(?<=""next"":"")[^""]+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OfTheMoment();

    [GeneratedRegex(@"<id (?<number>\d+)>", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AName();

    /// <summary>Names what is another one in every run: ids by the order in which they appear.</summary>
    private sealed class Names
    {
        private readonly List<string> _ids = [];

        public string Hide(string text) => OfTheMoment().Replace(
            AnId().Replace(text, id =>
            {
                if (!_ids.Contains(id.Value))
                    _ids.Add(id.Value);
                return $"<id {_ids.IndexOf(id.Value)}>";
            }),
            "...");

        public string Fill(string text) => AName().Replace(text, name => _ids[int.Parse(name.Groups["number"].ValueSpan, CultureInfo.InvariantCulture)]);
    }
}
