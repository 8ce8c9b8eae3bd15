using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox;
using Outbox.Testing;
using Users;

namespace Services.Tests;

/// <summary>What becomes of a top-up whose producer did not learn, or did not live to say, whether the money was taken.</summary>
public abstract class CheckPaymentTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TopUpService? service;

    private TopUpService Service => service!;

    [SkippableTheory]
    [InlineData("error", "failed", 0)]
    [InlineData("hang", "failed", 0)]
    [InlineData("charge-then-error", "succeeded", 500)]
    [InlineData("charge-then-hang", "succeeded", 500)]
    public async Task The_provider_is_asked_and_its_word_counts(string mode, string state, long taken)
    {
        await Service.Provider.SetPayments(mode);
        var topUp = await Service.TopUpInTime(await Service.Register());
        topUp["state"]!.GetValue<string>().ShouldBe("pending");

        await Service.Becomes(Id(topUp), state);

        (await Service.Taken()).ShouldBe(taken);
        await IsSettled(state, taken);
    }

    [SkippableFact]
    public async Task A_provider_that_could_not_be_reached_for_long_is_asked_when_it_is_back()
    {
        await Service.Provider.SetPayments("charge-then-hang", times: 1);
        var user = await Service.Register();
        var charging = Service.TopUp(user);
        await Eventually.Is(async () => await Service.Taken() == 500);
        await Service.Provider.SetPayments("unreachable");
        await Eventually.Is(() =>
        {
            Service.Clock.Advance(TimeSpan.FromMilliseconds(500));
            return charging.IsCompleted;
        });
        var topUp = await TopUpService.Accepted(await charging);

        // Longer than 15 checks at 30 s would take.
        await Service.Pass(TimeSpan.FromMinutes(10), step: TimeSpan.FromSeconds(2));

        (await Service.State(Id(topUp))).ShouldBe("pending");
        var half = (await Service.Messages()).ShouldHaveSingleItem();
        (half.State, half.Attempts).ShouldBe((OutboxMessageState.Prepared, 0));
        half.DueAt.ShouldNotBeNull();
        half.Returns.ShouldBeGreaterThan(0);

        await Service.Provider.SetPayments("approve");
        await Service.Pass(TimeSpan.FromMinutes(10), step: TimeSpan.FromSeconds(2));
        await Service.Becomes(Id(topUp), "succeeded");
        await IsSettled("succeeded", 500);
    }

    [SkippableFact]
    public async Task A_provider_that_answers_with_an_error_has_given_no_answer()
    {
        await Service.Provider.SetPayments("error", times: 3);
        var topUp = await Service.TopUpInTime(await Service.Register());
        Service.Wire.Refuses = _ => true;

        await Eventually.Is(async () =>
        {
            Service.Clock.Advance(TimeSpan.FromMilliseconds(500));
            return (await Service.Messages()).Single() is { Attempts: > 0 } or { Returns: > 0 };
        });

        (await Service.Messages()).Single().Attempts.ShouldBe(0);
        Service.Wire.Refuses = null;
        await Service.Pass(TimeSpan.FromMinutes(1), step: TimeSpan.FromSeconds(2));
        await Service.Becomes(Id(topUp), "failed");
        await IsSettled("failed", 0);
    }

    // A process that was stopped between Prepare and charge, and goes on after the check-back.
    [SkippableFact]
    public async Task A_charge_that_comes_after_the_check_back_is_refused()
    {
        var hold = Service.Wire.HoldCharge();
        var charging = Service.TopUp(await Service.Register());
        await hold.Arrived;
        var topUp = (await Service.App.InDb(db => db.TopUps.AsNoTracking().SingleAsync())).Id.ToString();
        await Service.Becomes(topUp, "failed");

        hold.Release();

        ((await Service.Answered(charging))["state"]!.GetValue<string>() == "succeeded").ShouldBeFalse();
        (await Service.State(topUp)).ShouldBe("failed");
        (await Service.Taken()).ShouldBe(0);
        await IsSettled("failed", 0);
    }

    [SkippableFact]
    public async Task A_charge_that_is_told_to_be_voided_is_none()
    {
        var hold = Service.Wire.HoldCharge();
        var charging = Service.TopUp(await Service.Register());
        await hold.Arrived;
        var topUp = (await Service.App.InDb(db => db.TopUps.AsNoTracking().SingleAsync())).Id;
        using (var provider = Service.Provider.CreateClient())
        {
            (await provider.PostAsync($"/payments/charges/{topUp}/void", content: null)).EnsureSuccessStatusCode();
        }

        hold.Release();                                      // no time has passed: the provider's answer counts

        (await TopUpService.Accepted(await charging))["state"]!.GetValue<string>().ShouldBe("failed");
        await IsSettled("failed", 0);
    }

    // The provider had never heard of it; then the money was taken; only then comes the void.
    [SkippableFact]
    public async Task A_charge_that_comes_between_the_question_and_the_void_stays_taken()
    {
        var charge = Service.Wire.HoldCharge();
        var closing = Service.Wire.HoldVoid();
        var charging = Service.TopUp(await Service.Register());
        await charge.Arrived;
        await Eventually.Is(() =>
        {
            Service.Clock.Advance(TimeSpan.FromMilliseconds(500));
            return closing.Arrived.IsCompleted;
        });

        charge.Release();
        var topUp = await Service.Answered(charging);
        closing.Release();

        await Service.Becomes(Id(topUp), "succeeded");
        (await Service.Taken()).ShouldBe(500);
        await Service.Pass(TimeSpan.FromSeconds(2));
        (await Service.Taken()).ShouldBe(500);
        await IsSettled("succeeded", 500);
    }

    // A process that was stopped after the charge: the check-back tells of it, and what the producer says then changes nothing.
    [SkippableFact]
    public async Task A_producer_that_comes_back_after_the_check_back_has_committed_changes_nothing()
    {
        var hold = Service.Wire.HoldChargeAnswer();
        var charging = Service.TopUp(await Service.Register());
        await hold.Arrived;
        var topUp = (await Service.App.InDb(db => db.TopUps.AsNoTracking().SingleAsync())).Id.ToString();
        await Service.Becomes(topUp, "succeeded");

        hold.Release();

        await Service.Answered(charging);
        (await Service.State(topUp)).ShouldBe("succeeded");
        await IsSettled("succeeded", 500);
    }

    [SkippableFact]
    public async Task Money_that_was_taken_after_an_operator_had_rolled_back_is_given_back()
    {
        var hold = Service.Wire.HoldChargeAnswer();
        var charging = Service.TopUp(await Service.Register());
        await hold.Arrived;
        (await Service.Taken()).ShouldBe(500);
        await Service.Operator((halves, id) => halves.Rollback(id, "operator"));

        hold.Release();

        var topUp = await Service.Answered(charging);
        topUp["state"]!.GetValue<string>().ShouldBe("failed");
        (await Service.Taken()).ShouldBe(0);
        await IsSettled("failed", 0);
    }

    [SkippableFact]
    public async Task A_top_up_that_nobody_could_decide_says_so()
    {
        await Service.Provider.SetPayments("unreachable");
        var topUp = await Service.TopUpInTime(await Service.Register());

        await Service.App.InDb(db => db.Set<OutboxMessage>().Where(m => m.State == OutboxMessageState.Prepared)
            .ExecuteUpdateAsync(set => set.SetProperty(m => m.DueAt, (DateTime?)null)));

        (await Service.State(Id(topUp))).ShouldBe("undecided");
        var user = topUp["userId"]!.GetValue<string>();
        (await Service.Client.ReadAll($"/users/{user}/top-ups", 20, "state")).ShouldBe(["undecided"]);
    }

    // Stopped between Prepare and storing the top-up, until the check-back has given it up.
    [SkippableFact]
    public async Task A_top_up_that_is_stored_after_the_check_back_is_refused_and_asks_for_no_money()
    {
        var storing = Service.Storing.Hold();
        var charging = Service.TopUp(await Service.Register(), key: "key");
        await storing.Arrived;
        await Eventually.Is(async () =>
        {
            Service.Clock.Advance(TimeSpan.FromMilliseconds(500));
            return (await Service.Messages()).Single().State == OutboxMessageState.RolledBack;
        });

        storing.Release();

        (await charging).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        await IsSettled("failed", 0);
        (await TopUpService.Accepted(await Service.TopUp((await Service.App.InDb(db => db.Users.SingleAsync())).Id.ToString(), key: "key")))
            ["state"]!.GetValue<string>().ShouldBe("succeeded");   // asked again, it is another top-up
        (await Service.Taken()).ShouldBe(500);
    }

    // Stopped between Prepare and storing the top-up, and killed: nobody was told of it, and nothing stays open.
    [SkippableFact]
    public async Task A_top_up_that_was_never_stored_is_closed_all_the_same()
    {
        var user = Guid.Parse(await Service.Register());
        var topUp = new Contracts.TopUpSucceeded(MassTransit.NewId.NextGuid(), user, 500, Service.Clock.GetUtcNow().UtcDateTime);
        await using (var scope = Service.App.Services.CreateAsyncScope())
        {
            await using var half = await scope.ServiceProvider.GetRequiredService<IOutbox<UsersDb>>().Prepare(topUp);
        }

        await Service.Becomes(topUp.TopUpId.ToString(), "failed");
        await IsSettled("failed", 0);
    }

    public async Task InitializeAsync() => service = new TopUpService(await create());

    public async Task DisposeAsync() => await (service?.DisposeAsync() ?? ValueTask.CompletedTask);

    private static string Id(System.Text.Json.Nodes.JsonNode topUp) => topUp["id"]!.GetValue<string>();

    // The row, the message and the provider say the same.
    private async Task IsSettled(string state, long taken)
    {
        var row = await Service.App.InDb(db => db.TopUps.AsNoTracking().SingleAsync());
        row.State.ShouldBe(state == "succeeded" ? TopUpState.Succeeded : TopUpState.Failed);
        var message = (await Service.Messages()).ShouldHaveSingleItem();
        (message.State == OutboxMessageState.RolledBack).ShouldBe(state == "failed");
        message.State.ShouldNotBe(OutboxMessageState.Prepared);
        (await Service.Taken()).ShouldBe(taken);
    }
}

public sealed class CheckPaymentOnSqliteTests() : CheckPaymentTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class CheckPaymentOnPostgresTests() : CheckPaymentTests(TestDatabase.PostgresAsync);
