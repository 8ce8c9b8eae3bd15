using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>Money and points, in every mode of the payment provider.</summary>
public class TopUpTests
{
    [SkippableTheory]
    [InlineData("approve", "succeeded")]
    [InlineData("decline", "failed")]
    [InlineData("error", "failed")]
    [InlineData("hang", "failed")]
    [InlineData("charge-then-hang", "succeeded")]
    [InlineData("charge-then-error", "succeeded")]
    [InlineData("unreachable", null)]
    public async Task The_user_ends_with_the_points_of_the_charge_that_the_provider_took(string mode, string? expected)
    {
        var shop = await DeployedShop.RequireAsync();
        using var customers = new Customers(shop.Entrances);
        var user = (await shop.Client.RegisterAsync(DeployedShop.NewName("top"))).Id;

        // Every try of the one charge goes the same way.
        await shop.Payments.SetAsync(mode);
        Guid topUp;
        try
        {
            topUp = await customers.TopUpAsync(user, 500, DeployedShop.NewName("key"));
        }
        finally
        {
            await shop.Payments.SetAsync("approve");
        }

        var state = await Eventually.Get(() => customers.StateAsync(topUp), found => found is "succeeded" or "failed", DeployedShop.Decided);
        if (expected is not null)
            state.ShouldBe(expected);
        var taken = state == "succeeded" ? 500 : 0;
        (await shop.Payments.TakenAsync(topUp)).ShouldBe(taken);
        await Eventually.Get(() => shop.Client.FindAccountAsync(user), account => account?.Balance == 100 + taken, DeployedShop.Decided);
    }
}
