using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>One of two replicas that share the relaying dies, or is paused for longer than its lease: the other goes on with all of it.</summary>
public class LosingAnOwnerTests(ITestOutputHelper output)
{
    private const int Users = 150;

    [SkippableFact]
    public async Task Another_replica_goes_on_with_the_partitions_of_one_that_was_killed()
    {
        await using var deployment = await StartAsync(await Require.RabbitMqAsync());
        var (victim, heir) = (deployment.Users[0], deployment.Users[1]);
        var owners = await OwnersAsync(deployment);

        var crowd = Crowd.Start([heir.Address], Users);
        await crowd.ReachAsync(Users / 3);
        await victim.KillAsync();
        var killed = TimeProvider.System.GetTimestamp();

        var after = await HeirOwnsAllAsync(deployment);
        output.WriteLine($"the heir owned all partitions {TimeProvider.System.GetElapsedTime(killed).TotalSeconds:0.0} s after the kill (lease 10 s, beat 3 s)");
        after.ShouldBeSubsetOf(owners);

        await crowd.Finished;
        (await deployment.SettleAsync(crowd.Answered)).Differences(crowd.Answered).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task An_owner_that_was_paused_for_longer_than_its_lease_repeats_at_most_what_was_in_flight()
    {
        await using var broker = await Require.PrivateRabbitMqAsync();
        await using var deployment = await StartAsync(broker);
        var (victim, heir) = (deployment.Users[0], deployment.Users[1]);
        await OwnersAsync(deployment);
        await using var eavesdropper = await Eavesdropper.ListenAsync(deployment.Broker, "Contracts:UserRegistered");

        // A broker that does not answer keeps what is sent to it in flight; it gets it all as soon as it goes on.
        broker.Pause();
        var before = Crowd.Start(deployment.Entrances, Users, name: "before");
        await before.Finished;
        await BothPassedAsync(deployment);                                // whatever was not sent by then is read later
        victim.Process.Suspend();
        var paused = TimeProvider.System.GetTimestamp();
        var inFlight = await deployment.Books.WaitingMessagesAsync("Users");
        broker.Resume();

        var meanwhile = Crowd.Start([heir.Address], Users, name: "meanwhile");
        await HeirOwnsAllAsync(deployment);
        output.WriteLine($"the heir owned all partitions {TimeProvider.System.GetElapsedTime(paused).TotalSeconds:0.0} s after the pause began");
        await meanwhile.Finished;
        await Eventually.Get(() => deployment.Books.WaitingMessagesAsync("Users"), waiting => waiting.Count == 0, Eventually.Limit * 2);
        if (Scale.Pause - TimeProvider.System.GetElapsedTime(paused) is { Ticks: > 0 } rest)
            await Task.Delay(rest, TimeProvider.System);

        victim.Process.Resume();
        var after = Crowd.Start(deployment.Entrances, Users, name: "after");
        await after.Finished;
        List<Guid> registered = [.. before.Answered, .. meanwhile.Answered, .. after.Answered];
        await deployment.Books.WaitUntilSettledAsync(registered);
        await Eventually.Get(() => eavesdropper.Count, count => count >= registered.Count);

        output.WriteLine($"{inFlight.Count} messages were not confirmed at the pause, {eavesdropper.Repeated.Count} were sent more than once");
        eavesdropper.Repeated.ShouldBeSubsetOf(inFlight);
        (await deployment.SettleAsync(registered)).Differences(registered).ShouldBeEmpty();
    }

    private static async Task<Deployment> StartAsync(RabbitMqServer broker)
    {
        var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), broker, users: 2);
        await deployment.StartAsync();
        return deployment;
    }

    /// <summary>The owners, once both replicas have their half.</summary>
    private static Task<IReadOnlyList<Guid?>> OwnersAsync(Deployment deployment) => Eventually.Get(
        () => deployment.Books.OwnersAsync("Users"),
        owners => !owners.Contains(null) && owners.Distinct().Count() == 2,
        Eventually.Limit * 2);

    /// <summary>Waits until the relay of each replica has gone through a whole pass: it beats once a pass at most, and reads after it.</summary>
    private static async Task BothPassedAsync(Deployment deployment)
    {
        var before = await deployment.Books.BeatsAsync("Users");
        await Eventually.Get(
            () => deployment.Books.BeatsAsync("Users"),
            beats => before.All(b => beats.TryGetValue(b.Key, out var beat) && beat >= b.Value + 2));
    }

    private static Task<IReadOnlyList<Guid?>> HeirOwnsAllAsync(Deployment deployment) => Eventually.Get(
        () => deployment.Books.OwnersAsync("Users"),
        owners => !owners.Contains(null) && owners.Distinct().Count() == 1,
        Eventually.Limit * 2);
}
