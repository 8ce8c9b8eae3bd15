using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>The main job against a deployment.</summary>
public class RegisteringTests
{
    [SkippableFact]
    public async Task Who_registers_gets_100_points_and_the_receiver_is_told_once()
    {
        var shop = await DeployedShop.RequireAsync();

        var crowd = Crowd.Start(shop.Entrances, users: 50, name: DeployedShop.NewName("new"));
        await crowd.Finished;

        await shop.SettlesAsync(crowd.Answered);
    }
}
