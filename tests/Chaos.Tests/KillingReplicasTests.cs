using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>Two replicas of each service over RabbitMQ and PostgreSQL, killed at random; then count.</summary>
public class KillingReplicasTests(ITestOutputHelper output)
{
    [SkippableFact]
    public async Task Nothing_is_lost_and_nothing_credited_twice_though_replicas_are_killed()
    {
        await using var deployment = await Deployment.CreateAsync(
            await Require.PostgresAsync(), await Require.RabbitMqAsync(), users: 2, workers: 2);
        await deployment.StartAsync();

        var crowd = Crowd.Start(deployment.Entrances, Scale.Users);
        await new Killer(deployment.All, output.WriteLine).KillAsync(Scale.Kills, crowd);

        await crowd.Finished;
        await SettlesAsync(deployment, crowd);
    }

    [SkippableFact]
    public async Task Nothing_is_lost_and_nothing_credited_twice_though_the_broker_is_away_and_replicas_are_killed()
    {
        await using var broker = await Require.PrivateRabbitMqAsync();
        await using var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), broker, users: 2, workers: 2);
        await deployment.StartAsync();

        var crowd = Crowd.Start(deployment.Entrances, Scale.Users);
        var killing = new Killer(deployment.All, output.WriteLine).KillAsync(Scale.Kills / 2, crowd);

        await crowd.ReachAsync(crowd.Users / 4);
        await broker.StopAsync();
        output.WriteLine($"the broker is away at {crowd.Answered.Count} of {crowd.Users} answered");
        await Task.Delay(Scale.BrokerOutage, TimeProvider.System);
        await broker.StartAsync();
        output.WriteLine($"the broker is back at {crowd.Answered.Count} of {crowd.Users} answered");

        await killing;
        await crowd.Finished;
        await SettlesAsync(deployment, crowd);
    }

    private async Task SettlesAsync(Deployment deployment, Crowd crowd)
    {
        output.WriteLine($"{crowd.Answered.Count} answered, {crowd.Unanswered} requests went unanswered and were sent again");
        var entries = await deployment.SettleAsync(crowd.Answered);
        output.WriteLine(entries.ToString());
        entries.Differences(crowd.Answered).ShouldBeEmpty();
        entries.Balances.Sum(balance => balance.Amount).ShouldBe(100L * crowd.Users);
    }
}
