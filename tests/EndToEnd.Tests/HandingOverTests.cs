using Outbox.Testing;

namespace EndToEnd.Tests;

/// <summary>Two replicas share the relaying; one that is asked to stop leaves nothing that the other would have to wait for.</summary>
public class HandingOverTests
{
    [SkippableFact]
    public async Task A_replica_that_stops_gives_its_partitions_back_before_it_ends()
    {
        await using var deployment = await Deployment.CreateAsync(
            await Require.PostgresAsync(), await Require.RabbitMqAsync(), users: 2);
        var (staying, leaving) = (deployment.Users[0], deployment.Users[1]);
        await Deployment.StartAsync([staying]);
        var owners = await Eventually.Get(OwnersAsync, all => all.Count > 0 && all.All(owner => owner is not null));
        var stayingId = owners[0];
        owners.ShouldAllBe(owner => owner == stayingId);

        await deployment.StartAsync();
        await Eventually.Get(OwnersAsync, all => all.Count(owner => owner == stayingId) == all.Count / 2 && !all.Contains(null));

        var crowd = Crowd.Start(deployment.Entrances, users: 200);
        await crowd.ReachAsync(100);
        await leaving.StopAsync();

        // Were it still somebody's, it would be until the lease ran out.
        (await OwnersAsync()).ShouldAllBe(owner => owner == stayingId || owner == null);

        await crowd.Finished;
        await Eventually.Get(OwnersAsync, all => all.All(owner => owner == stayingId));
        (await deployment.SettleAsync(crowd.Answered)).Differences(crowd.Answered).ShouldBeEmpty();

        Task<IReadOnlyList<Guid?>> OwnersAsync() => deployment.Books.OwnersAsync("Users");
    }
}
