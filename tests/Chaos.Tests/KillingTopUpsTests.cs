using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>
/// Users.Api dies on the way of a payment that no transaction can hold, and never comes back: another replica finds out
/// what became of it. The points are those of the charges that the provider took, no more and no less.
/// </summary>
public class KillingTopUpsTests(ITestOutputHelper output)
{
    private const long Amount = 500;

    /// <summary>Where it dies, what the provider does meanwhile, and whether it has taken the money by then.</summary>
    private static readonly (string Point, string Mode, bool Taken)[] Deaths =
    [
        ("after-prepare", "approve", false),
        ("before-charge", "approve", false),
        ("before-charge", "unreachable", false),
        ("during-charge", "hang", false),
        ("during-charge", "charge-then-hang", true),
        ("after-charge", "approve", true),
        ("after-charge", "decline", false),
        ("after-charge", "error", false),
        ("after-charge", "charge-then-error", true),
        ("after-commit", "approve", true),
        ("after-commit", "decline", false),
    ];

    [SkippableFact]
    public async Task The_replica_that_prepared_never_comes_back_and_another_answers_for_it()
    {
        await using var deployment = await StartAsync();
        var (victim, heir) = (deployment.Users[0], deployment.Users[1]);
        var user = (await deployment.Client.RegisterAsync("ada")).Id;
        using var customers = new Customers([victim.Address]);
        var (topUps, taken) = (0, 0L);
        foreach (var (point, mode, isTaken) in Deaths)
        {
            await DieAsync(deployment, customers, user, point, mode);
            await Eventually.Is(async () => await deployment.Payments.ModeAsync() == "approve", Eventually.Limit * 4);
            topUps++;
            taken += isTaken ? Amount : 0;

            var audit = await SettledAsync(deployment, topUps);
            output.WriteLine($"{point}, {mode}: {audit}");
            (audit.TopUps.Count, audit.Total).ShouldBe((topUps, taken), $"{point}, {mode}");
            heir.IsRunning.ShouldBeTrue();
            await Deployment.StartAsync([victim]);
        }

        var account = await Eventually.Get(() => deployment.Client.FindAccountAsync(user), found => found?.Balance == 100 + taken);
        account!.Balance.ShouldBe(100 + taken);
    }

    [SkippableTheory]
    [InlineData("before-charge", "failed", 0)]
    [InlineData("after-charge", "succeeded", Amount)]
    public async Task A_replica_that_is_paused_until_after_the_check_back_changes_nothing_any_more(string point, string state, long taken)
    {
        await using var deployment = await StartAsync();
        var (victim, heir) = (deployment.Users[0], deployment.Users[1]);
        var user = (await deployment.Client.RegisterAsync("ada")).Id;
        using var customers = new Customers([victim.Address], waitFor: Eventually.Limit * 8);   // the pause counts too
        deployment.CrashPoints[0].PauseAt(point);
        var asking = customers.TopUpOnceAsync(user, Amount);
        await Eventually.Is(() => deployment.CrashPoints[0].IsReached);

        // It owns half of the partitions, and gives them up only when its lease has run out.
        var topUp = (await Eventually.Get(deployment.Books.TopUpsAsync, rows => rows.Count == 1 && rows[0].State != "Pending", Eventually.Limit * 2))[0];
        topUp.State.ShouldBe(state, StringCompareShould.IgnoreCase);
        victim.Process.Resume();

        (await asking).ShouldBe(topUp.Id);
        output.WriteLine($"{point}: the client was answered '{customers.Answered[topUp.Id]}'");
        if (customers.Answered[topUp.Id] != "pending")   // its own time-out may have been faster than what had arrived
            customers.Answered[topUp.Id].ShouldBe(state);
        (await customers.StateAsync(topUp.Id)).ShouldBe(state);
        (await SettledAsync(deployment, 1)).Total.ShouldBe(taken);
        heir.IsRunning.ShouldBeTrue();
    }

    private static async Task<Deployment> StartAsync()
    {
        var deployment = await Deployment.CreateAsync(await Require.PostgresAsync(), await Require.RabbitMqAsync(), users: 2, payments: true);
        await deployment.StartAsync();
        return deployment;
    }

    /// <summary>Asks the first replica for a top-up, in which it dies.</summary>
    private static async Task DieAsync(Deployment deployment, Customers customers, Guid user, string point, string mode)
    {
        var victim = deployment.Users[0];
        await deployment.Payments.SetAsync(mode, times: mode == "unreachable" ? 2 : 1);   // the check-back, too, asks a third time
        if (point != "during-charge")
        {
            deployment.CrashPoints[0].KillAt(point);
            await Should.ThrowAsync<HttpRequestException>(customers.TopUpOnceAsync(user, Amount));
            deployment.CrashPoints[0].IsReached.ShouldBeTrue(point);
            await victim.KillAsync();   // is dead; and is known to be
            if (point == "after-commit")
                (await deployment.Books.CountPreparedAsync()).ShouldBe(0, "it died before its decision was saved");
            return;
        }

        // The provider has the request, and does not answer.
        var asking = customers.TopUpOnceAsync(user, Amount);
        await Eventually.Is(async () => await deployment.Payments.ModeAsync() == "approve");
        await victim.KillAsync();
        await Should.ThrowAsync<HttpRequestException>(asking);
    }

    private static async Task<TopUpAudit> SettledAsync(Deployment deployment, int topUps)
    {
        try
        {
            return await TopUpAudit.SettledAsync(deployment.Books, deployment.Payments, topUps);
        }
        catch (TimeoutException exception)
        {
            var differences = (await TopUpAudit.ReadAsync(deployment.Books, deployment.Payments)).Differences();
            throw new InvalidOperationException($"{exception.Message}\n{string.Join('\n', differences)}\n{string.Join("\n\n", deployment.All)}", exception);
        }
    }
}
