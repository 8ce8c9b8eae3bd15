using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>
/// Many top-ups through two replicas, while the provider misbehaves at random and the replicas are killed at random
/// moments and at random points of a payment: afterwards the provider holds exactly what was credited.
/// </summary>
public class RandomTopUpsTests(ITestOutputHelper output)
{
    private static readonly string[] Modes = ["approve", "decline", "error", "hang", "charge-then-hang", "charge-then-error", "unreachable"];
    private static readonly string[] CrashPoints = ["after-prepare", "before-charge", "after-charge", "after-commit"];

    private readonly Random _random = new(Scale.Seed);
    private int _answered;

    [SkippableFact]
    public async Task The_provider_holds_exactly_what_was_credited_and_every_top_up_says_so()
    {
        output.WriteLine($"OUTBOX_SEED={Scale.Seed}");
        await using var deployment = await Deployment.CreateAsync(
            await Require.PostgresAsync(), await Require.RabbitMqAsync(), users: 2, payments: true);
        await deployment.StartAsync();
        List<Guid> users = [];
        for (var number = 1; number <= 5; number++)
            users.Add((await deployment.Client.RegisterAsync($"user-{number}")).Id);

        using var customers = new Customers(deployment.Entrances);
        using var over = new CancellationTokenSource();
        var asking = customers.TopUpAllAsync(users, Scale.TopUps, number => 1 + (number * 37 % 1000), clients: 8, done => Volatile.Write(ref _answered, done));
        var misbehaving = MisbehaveAsync(deployment.Payments, over.Token);
        await KillAsync(deployment, asking);
        await asking;
        await over.CancelAsync();
        await misbehaving;
        await deployment.Payments.SetAsync("approve");

        output.WriteLine($"{customers.Answered.Count} answered ({Count("succeeded")} succeeded, {Count("failed")} failed, {Count("pending")} pending), {customers.Unanswered} requests went unanswered and were sent again");
        await SettlesAsync(deployment, users);

        int Count(string state) => customers.Answered.Values.Count(answered => answered == state);
    }

    private async Task MisbehaveAsync(PaymentProvider payments, CancellationToken over)
    {
        var random = new Random(Scale.Seed + 1);
        while (!over.IsCancellationRequested)
        {
            await payments.SetAsync(Modes[random.Next(Modes.Length)], times: random.Next(1, 6));
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(50, 300)), TimeProvider.System, CancellationToken.None);
        }
    }

    // Each replica in turn, every second time at a point of a payment, else whenever it happens to be.
    private async Task KillAsync(Deployment deployment, Task asking)
    {
        for (var kill = 1; kill <= Scale.TopUpKills; kill++)
        {
            var share = kill * Scale.TopUps / (Scale.TopUpKills + 1);
            await Eventually.Is(() => asking.IsCompleted || Volatile.Read(ref _answered) >= share, Eventually.Limit * 20);
            var (victim, point) = (deployment.Users[kill % 2], deployment.CrashPoints[kill % 2]);
            var where = kill % 2 == 0 || kill % 4 == 1 ? CrashPoints[_random.Next(CrashPoints.Length)] : "somewhere";
            await victim.WaitUntilReadyAsync();
            if (where == "somewhere" || asking.IsCompleted)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(500)), TimeProvider.System);
                await victim.KillAsync();
            }
            else
            {
                point.KillAt(where);
                await Eventually.Is(() => point.IsReached || asking.IsCompleted, Eventually.Limit * 2);
                point.Disarm();
                await victim.KillAsync();
            }

            victim.Start();
            output.WriteLine($"{victim.Name} killed {where} at {Volatile.Read(ref _answered)} of {Scale.TopUps} answered");
        }
    }

    private async Task SettlesAsync(Deployment deployment, List<Guid> users)
    {
        var limit = Eventually.Limit * 10;
        try
        {
            var audit = await TopUpAudit.SettledAsync(deployment.Books, deployment.Payments, Scale.TopUps, limit);
            output.WriteLine(audit.ToString());
            var balances = (await deployment.Books.ReadAsync()).Balances;
            foreach (var user in users)
            {
                balances.Single(balance => balance.UserId == user).Amount
                    .ShouldBe(100 + audit.Credits.Where(credit => credit.UserId == user).Sum(credit => credit.Amount));
            }
        }
        catch (TimeoutException exception)
        {
            var differences = (await TopUpAudit.ReadAsync(deployment.Books, deployment.Payments)).Differences();
            throw new InvalidOperationException($"{string.Join('\n', differences)}\n{string.Join("\n\n", deployment.All)}", exception);
        }
    }
}
