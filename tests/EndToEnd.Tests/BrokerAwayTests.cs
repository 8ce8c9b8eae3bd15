using Outbox.Testing;

namespace EndToEnd.Tests;

/// <summary>An API has its database and needs nobody else: what it has to say waits in the outbox.</summary>
public class BrokerAwayTests
{
    [SkippableFact]
    public async Task Users_register_while_the_broker_is_away_and_everything_arrives_once_it_is_back()
    {
        await using var broker = await Require.PrivateRabbitMqAsync();
        await using var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), broker);
        await deployment.StartAsync();
        List<Guid> registered = [await RegisterAsync(deployment, "before")];
        await Eventually.Get(() => deployment.Client.NotificationsOfAsync(registered[0]), told => told.Count == 1);

        await broker.StopAsync();
        for (var number = 1; number <= 20; number++)
            registered.Add(await RegisterAsync(deployment, $"meanwhile-{number}"));
        await deployment.Users[0].WaitUntilReadyAsync();

        // A deployment of a new version need not wait for the broker either.
        await deployment.Users[0].StopAsync();
        await Deployment.StartAsync(deployment.Users);
        registered.Add(await RegisterAsync(deployment, "restarted"));
        (await deployment.Books.WaitingMessagesAsync("Users")).Count.ShouldBe(21);

        await broker.StartAsync();
        (await deployment.SettleAsync(registered)).Differences(registered).ShouldBeEmpty();
    }

    private static async Task<Guid> RegisterAsync(Deployment deployment, string name) => (await deployment.Client.RegisterAsync(name)).Id;
}
