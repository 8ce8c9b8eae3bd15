using Outbox.Testing;

namespace EndToEnd.Tests;

/// <summary>From the HTTP request to the credited points to the notification, over real processes, sockets and servers.</summary>
public class MainJobTests
{
    [SkippableFact]
    public async Task Who_registers_gets_100_points_and_the_receiver_is_told_once()
    {
        await using var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), await Require.RabbitMqAsync());
        await deployment.StartAsync();

        var ada = await deployment.Client.RegisterAsync("ada");
        var bob = await deployment.Client.RegisterAsync("bob");

        var account = await Eventually.Get(() => deployment.Client.FindAccountAsync(ada.Id), found => found?.Balance > 0);
        account!.Balance.ShouldBe(100);
        var entry = (await deployment.Client.EntriesAsync(ada.Id)).Items.ShouldHaveSingleItem();
        (entry.Amount, entry.Balance, entry.Reason).ShouldBe((100, 100, "welcome"));

        var told = await Eventually.Get(() => deployment.Client.NotificationsOfAsync(ada.Id), found => found.Count > 0);
        told.ShouldHaveSingleItem().Data.ShouldBe(new NotificationData(ada.Id, Amount: 100, Balance: 100, "welcome"));
        (await deployment.SettleAsync([ada.Id, bob.Id])).Differences([ada.Id, bob.Id]).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task What_was_published_before_any_queue_existed_is_delivered_once_there_is_one()
    {
        await using var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), await Require.RabbitMqAsync());
        await Deployment.StartAsync(deployment.Users);

        var ada = await deployment.Client.RegisterAsync("ada");
        await Eventually.Get(() => deployment.Books.CountReturnedAsync("Users"), returned => returned > 0);
        (await deployment.Broker.QueuesAsync()).ShouldBeEmpty();

        await deployment.StartAsync();
        (await deployment.SettleAsync([ada.Id])).Differences([ada.Id]).ShouldBeEmpty();
    }
}
