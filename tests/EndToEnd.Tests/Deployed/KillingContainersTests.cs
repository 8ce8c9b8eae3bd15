using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>Containers are killed, cut off and added under load; then count.</summary>
public class KillingContainersTests
{
    private const int Users = 500;
    private const int TopUps = 100;

    [SkippableTheory]
    [InlineData("users-api")]
    [InlineData("points-worker")]
    [InlineData("notifications-worker")]
    [InlineData("simulators")]
    [InlineData("rabbitmq")]
    [InlineData("database")]
    public async Task A_container_that_is_killed_loses_nothing_and_doubles_nothing(string service)
    {
        var shop = await DeployedShop.RequireContainersAsync();
        using var customers = new Customers(shop.Entrances);
        var customer = (await shop.Client.RegisterAsync(DeployedShop.NewName("money"))).Id;
        var before = await shop.Payments.TotalAsync();

        var crowd = Crowd.Start(shop.Entrances, Users, name: DeployedShop.NewName("kill"));
        var toppingUp = Parallel.ForAsync(0, TopUps, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (number, _) =>
            await customers.TopUpAsync(customer, number + 1, DeployedShop.NewName("key")));
        await crowd.ReachAsync(Users / 4);

        // Long enough for the others to notice, with everybody still asking.
        await shop.Containers.KillAsync(service, () => Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System));
        await shop.FindAsync();
        await crowd.Finished;
        await toppingUp;

        // Whoever got no answer asked again under its key: each top-up once.
        customers.Answered.Count.ShouldBe(TopUps);
        await shop.SettlesAsync(crowd.Answered);
        await MoneyAgreesAsync(shop, customers, customer, before);
    }

    [SkippableFact]
    public async Task The_API_goes_on_answering_while_the_broker_is_cut_off_and_what_waited_arrives()
    {
        var shop = await DeployedShop.RequireContainersAsync();
        using var customers = new Customers(shop.Entrances);
        var customer = (await shop.Client.RegisterAsync(DeployedShop.NewName("money"))).Id;
        var before = await shop.Payments.TotalAsync();
        var crowd = Crowd.Start(shop.Entrances, Users, name: DeployedShop.NewName("cut"));
        await crowd.ReachAsync(Users / 4);

        List<Guid> waiting = [];
        await shop.Containers.CutOffAsync("rabbitmq", async () =>
        {
            // Whoever comes now is answered, and their messages lie in the outbox, more and more of them. One round a second:
            // what a fast machine takes in meanwhile, a slow one would have to work off.
            using var second = new PeriodicTimer(TimeSpan.FromSeconds(1), TimeProvider.System);
            for (var round = 0; round < 30; round++)
            {
                await second.WaitForNextTickAsync();
                var more = Crowd.Start(shop.Entrances, 20, clients: 4, name: DeployedShop.NewName("meanwhile"));
                await customers.TopUpAsync(customer, round + 1, DeployedShop.NewName("key"));
                await more.Finished;
                more.Unanswered.ShouldBe(0);
                waiting.AddRange(more.Answered);
            }

            await crowd.Finished;
            foreach (var user in waiting.Where((_, number) => number % 10 == 0))
                (await shop.Client.FindAccountAsync(user)).ShouldBeNull();
        });

        crowd.Unanswered.ShouldBe(0);
        await shop.SettlesAsync([.. crowd.Answered, .. waiting]);
        await MoneyAgreesAsync(shop, customers, customer, before);
    }

    [SkippableFact]
    public async Task Three_replicas_of_each_worker_share_the_work()
    {
        var shop = await DeployedShop.RequireContainersAsync();
        var crowd = Crowd.Start(shop.Entrances, Users, name: DeployedShop.NewName("scale"));
        await crowd.ReachAsync(Users / 4);

        await shop.Containers.ScaleAsync("points-worker", 3);
        await shop.Containers.ScaleAsync("notifications-worker", 3);
        foreach (var queue in (string[])["credit-welcome-points", "accept-points-credited"])
            await Eventually.Get(() => ConsumersAsync(shop, queue), count => count == 3);
        var more = Crowd.Start(shop.Entrances, Users, name: DeployedShop.NewName("scaled"));
        await more.Finished;
        await crowd.Finished;
        await shop.SettlesAsync([.. crowd.Answered, .. more.Answered]);

        await shop.Containers.ScaleAsync("points-worker", 1);
        await shop.Containers.ScaleAsync("notifications-worker", 1);
        await shop.FindAsync();
        await shop.SettlesAsync(crowd.Answered);
    }

    // The provider, the states and the points say the same.
    private static async Task MoneyAgreesAsync(DeployedShop shop, Customers customers, Guid customer, long before)
    {
        long taken = 0;
        foreach (var topUp in customers.Answered.Keys)
        {
            var state = await Eventually.Get(
                () => customers.StateAsync(topUp), found => found is "succeeded" or "failed", DeployedShop.Decided);
            var held = await shop.Payments.TakenAsync(topUp);
            (held > 0).ShouldBe(state == "succeeded", $"top-up {topUp} is {state} and the provider holds {held}");
            taken += held;
        }

        (await shop.Payments.TotalAsync() - before).ShouldBe(taken);
        await Eventually.Get(
            () => shop.Client.FindAccountAsync(customer), account => account?.Balance == 100 + taken, DeployedShop.Decided);
    }

    private static async Task<int> ConsumersAsync(DeployedShop shop, string queue)
    {
        var lines = await shop.Containers.ExecuteAsync("rabbitmq", "rabbitmqctl --quiet list_queues name consumers");
        return lines.Split('\n')
            .Select(line => line.Split('\t', StringSplitOptions.TrimEntries))
            .Where(fields => fields.Length == 2 && fields[0].EndsWith(queue, StringComparison.Ordinal))
            .Select(fields => int.Parse(fields[1], System.Globalization.CultureInfo.InvariantCulture))
            .FirstOrDefault();
    }
}
