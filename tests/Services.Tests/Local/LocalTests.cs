using System.Net;
using System.Text.Json.Nodes;
using Outbox.Testing;

namespace Services.Tests;

[Collection(ProcessTests.Name)]
public sealed class LocalTests
{
    [Fact]
    public async Task What_it_prints_can_be_tried()
    {
        await using var local = new LocalProcess();
        await local.Start();

        var printed = await local.Service.WaitForLine(line => line.Contains("/v1/notifications", StringComparison.Ordinal));
        printed.ShouldContain($"Authorization: Bearer {await File.ReadAllTextAsync(local.KeyFile)}");
        printed.ShouldContain(local.Client.BaseAddress!.ToString());

        var id = await Register(local, 1);
        await Credited(local, id);
        (await Eventually.Get(() => Notified(local), ids => ids.Count > 0)).ShouldBe([id]);
    }

    [Fact]
    public async Task Its_key_is_for_its_owner_only_and_stays_the_same()
    {
        await using var local = new LocalProcess();
        await local.Start();
        var key = await File.ReadAllTextAsync(local.KeyFile);
        await local.Kill();
        await local.Start();

        (await File.ReadAllTextAsync(local.KeyFile)).ShouldBe(key);
        (await local.Client.GetAsync("/v1/notifications")).StatusCode.ShouldBe(HttpStatusCode.OK);
        if (!OperatingSystem.IsWindows())
        {
            File.GetUnixFileMode(local.KeyFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    [Fact]
    public async Task The_operators_key_is_told_once_and_makes_receivers()
    {
        await using var local = new LocalProcess();
        await local.Start();
        var key = await File.ReadAllTextAsync(Path.Combine(local.Data, "operator.key"));
        (await local.Service.WaitForLine(line => line.Contains("operator's key", StringComparison.Ordinal))).ShouldEndWith(key);
        local.Client.As(key);
        await local.Client.PostJson("/v1/receivers", """{"name":"shop"}""", HttpStatusCode.Created);
        await local.Kill();

        await local.Start();

        await local.Service.WaitForLine(line => line.StartsWith("Stop it", StringComparison.Ordinal));
        local.Service.Output.Values.ShouldAllBe(line => !line.Contains(key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_one_on_the_same_folder_says_so_and_ends()
    {
        await using var local = new LocalProcess();
        await local.Start();

        await using var second = local.Launch(FreePort.Next());
        await second.Process.WaitForExitAsync();

        second.Process.ExitCode.ShouldBe(1);
        (await second.Output.WaitForCount(1)).ShouldHaveSingleItem().ShouldStartWith("Cannot start: another process works in");
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_in_one_line()
    {
        await using var first = new LocalProcess();
        await first.Start();
        await using var other = new LocalProcess();

        await using var second = other.Launch(first.Client.BaseAddress!.Port);
        await second.Process.WaitForExitAsync();

        second.Process.ExitCode.ShouldBe(1);
        (await second.Output.WaitForCount(1)).ShouldHaveSingleItem().ShouldStartWith("Cannot start: ");
    }

    private static async Task<string> Register(LocalProcess local, int number)
    {
        var response = await local.Client.Register($"user{number}", $"user{number}@example.com");
        response.StatusCode.ShouldBe(HttpStatusCode.Created);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.GetValue<string>();
    }

    private static Task Credited(LocalProcess local, string userId) => Eventually.Holds(async () =>
        (await local.Client.GetJson($"/accounts/{userId}"))["balance"]!.GetValue<long>().ShouldBe(100));

    private static async Task<List<string>> Notified(LocalProcess local) =>
        [.. (await local.Client.ReadAll("/v1/notifications", 100, "businessKey"))
            .Where(key => key.StartsWith("welcome:", StringComparison.Ordinal))
            .Select(key => key["welcome:".Length..])];
}
