using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>Money and points, in every mode of the payment provider.</summary>
public class TopUpTests
{
    // The first check-back comes after seconds, another after half a minute.
    private static readonly TimeSpan Decided = Eventually.Limit * 6;

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

        var state = await Eventually.Get(() => customers.StateAsync(topUp), found => found is "succeeded" or "failed", Decided);
        if (expected is not null)
            state.ShouldBe(expected);
        var taken = state == "succeeded" ? 500 : 0;
        (await shop.Payments.TakenAsync(topUp)).ShouldBe(taken);
        await Eventually.Get(() => shop.Client.FindAccountAsync(user), account => account?.Balance == 100 + taken, Decided);
    }

    [SkippableTheory]
    [InlineData("users-api")]
    [InlineData("points-worker")]
    [InlineData("simulators")]
    public async Task Money_and_points_agree_though_a_container_is_killed(string service)
    {
        var shop = await DeployedShop.RequireContainersAsync();
        using var customers = new Customers(shop.Entrances);
        var user = (await shop.Client.RegisterAsync(DeployedShop.NewName("money"))).Id;
        var before = await shop.Payments.TotalAsync();

        var third = new TaskCompletionSource();
        var asking = Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (number, _) =>
        {
            await customers.TopUpAsync(user, number + 1, DeployedShop.NewName("key"));
            if (customers.Answered.Count >= 33)
                third.TrySetResult();
        });
        await Task.WhenAny(third.Task, asking);
        await shop.Containers.KillAsync(service, () => Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System));
        await shop.FindAsync();
        await asking;

        // Whoever got no answer asked again under its key: a hundred top-ups, each once.
        customers.Answered.Count.ShouldBe(100);
        long taken = 0;
        foreach (var topUp in customers.Answered.Keys)
        {
            var state = await Eventually.Get(() => customers.StateAsync(topUp), found => found is "succeeded" or "failed", Decided);
            var held = await shop.Payments.TakenAsync(topUp);
            (held > 0).ShouldBe(state == "succeeded", $"top-up {topUp} is {state} and the provider holds {held}");
            taken += held;
        }

        (await shop.Payments.TotalAsync() - before).ShouldBe(taken);
        await Eventually.Get(() => shop.Client.FindAccountAsync(user), account => account?.Balance == 100 + taken, Decided);
    }
}
