using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>Everything in one process, on SQLite files, killed at any moment.</summary>
public class KillingLocalTests(ITestOutputHelper output)
{
    private const int Users = 2_000;
    private const int Kills = 5;

    [Fact]
    public async Task Whoever_was_answered_has_100_points_and_one_notification_though_Local_is_killed_five_times()
    {
        await using var local = new LocalInstallation();
        await local.StartAsync();
        var crowd = Crowd.Start([local.Replica.Address], Users);

        for (var kill = 1; kill <= Kills; kill++)
        {
            await crowd.ReachAsync(kill * Users / (Kills + 1));
            await local.Replica.KillAsync();
            await ComesBackAsync(local, crowd, kill);
        }

        await crowd.Finished;
        output.WriteLine($"{crowd.Answered.Count} answered, {crowd.Unanswered} requests went unanswered and were sent again");
        await SettlesAsync(local, crowd.Answered);

        // And once more: what it sent before it was killed is sent again at the start, and must change nothing.
        await local.Replica.KillAsync();
        await local.StartAsync();
        await SettlesAsync(local, crowd.Answered);
        await local.Replica.StopAsync();

        (await local.Books.ReadAsync()).Differences(crowd.Answered).ShouldBeEmpty();
    }

    private async Task ComesBackAsync(LocalInstallation local, Crowd crowd, int kill)
    {
        var (answered, credited) = (crowd.Answered.Count, await local.Books.CountCreditsAsync());
        var restarted = TimeProvider.System.GetTimestamp();
        local.Replica.Start();

        await crowd.ReachAsync(answered + 1);
        var answering = TimeProvider.System.GetElapsedTime(restarted);
        await Eventually.Get(local.Books.CountCreditsAsync, now => now > credited, Eventually.Limit * 4);
        var crediting = TimeProvider.System.GetElapsedTime(restarted);
        output.WriteLine($"kill {kill} at {answered} answered, {credited} credited: answering {answering.TotalSeconds:0.0} s after the start, crediting after {crediting.TotalSeconds:0.0} s");
    }

    private async Task SettlesAsync(LocalInstallation local, IReadOnlyCollection<Guid> registered)
    {
        try
        {
            await local.Books.WaitUntilSettledAsync(registered);
        }
        catch (TimeoutException)
        {
            output.WriteLine(local.Replica.ToString());
            throw;
        }
    }
}
