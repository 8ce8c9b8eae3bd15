using System.Net;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using Outbox.Testing;
using Users;

namespace Services.Tests;

/// <summary>What becomes of a top-up, and of its money, that an operator decides about.</summary>
public abstract class OperatorTopUpTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TopUpService? service;

    private TopUpService Service => service!;

    [SkippableFact]
    public async Task The_row_says_what_the_operator_has_decided_in_the_same_moment()
    {
        var (good, bad) = (await Pending("ada"), await Pending("bob"));

        await Service.Operator((halves, id) => halves.Commit(id, "operator"), place: 0);
        await Service.Operator((halves, id) => halves.Rollback(id, "operator"), place: 1);

        (await Rows()).Select(t => t.State).ShouldBe([TopUpState.Succeeded, TopUpState.Refunding]);
        (await Service.State(good)).ShouldBe("succeeded");
        (await Service.State(bad)).ShouldBe("failed");
        (await Service.Messages())[1].State.ShouldBe(OutboxMessageState.RolledBack);
        (await Service.Messages())[0].State.ShouldNotBeOneOf(OutboxMessageState.Prepared, OutboxMessageState.RolledBack);
    }

    // And the decision may be forgotten before the money could be given back.
    [SkippableFact]
    public async Task What_was_taken_is_given_back_also_by_a_process_that_knows_of_the_row_only()
    {
        await Pending("ada");
        (await Service.Taken()).ShouldBe(500);
        await Service.Operator((halves, id) => halves.Rollback(id, "operator"));

        await Service.Restart();
        await Service.App.InDb(db => db.Set<OutboxMessage>().Where(m => m.State == OutboxMessageState.RolledBack).ExecuteDeleteAsync());
        (await Service.Taken()).ShouldBe(500);

        await IsGivenBack(1);
    }

    [SkippableFact]
    public async Task However_many_cannot_be_given_back_now_they_keep_no_other_waiting_and_are_tried_again()
    {
        var (user, now) = (Guid.Parse(await Service.Register()), Service.Clock.GetUtcNow().UtcDateTime);
        await Service.App.InDb(db =>
        {
            db.TopUps.AddRange(Enumerable.Range(0, 150).Select(number => new TopUp
            {
                Id = NewId.NextGuid(), UserId = user, Amount = 1, State = TopUpState.Refunding, MessageId = NewId.NextGuid(),
                StartedAt = now.AddMilliseconds(number / 10),
            }));
            return db.SaveChangesAsync();
        });
        var stuck = (await Rows()).Take(120).Select(t => t.Id).ToHashSet();
        Service.Wire.Refuses = request => stuck.Any(id => request.RequestUri!.AbsolutePath.Contains(id.ToString(), StringComparison.Ordinal));

        await Eventually.Holds(async () =>
        {
            Service.Clock.Advance(TimeSpan.FromSeconds(1));
            (await Rows()).Count(t => t.State == TopUpState.Failed).ShouldBe(30);
        });
        (await Rows()).Where(t => t.State == TopUpState.Refunding).Select(t => t.Id).ShouldBe(stuck, ignoreOrder: true);

        Service.Wire.Refuses = null;
        await IsGivenBack(150);
    }

    // Its producer was stopped between Prepare and storing the top-up, and goes on after the operator's decision.
    [SkippableTheory]
    [InlineData(true, "succeeded")]
    [InlineData(false, "failed")]
    public async Task A_top_up_that_was_not_stored_yet_is_stored_by_the_decision_and_asks_for_no_money(bool commit, string state)
    {
        var storing = Service.Storing.Hold();
        var charging = Service.TopUp(await Service.Register());
        await storing.Arrived;

        await Service.Operator((halves, id) => commit ? halves.Commit(id, "operator") : halves.Rollback(id, "operator"));
        storing.Release();

        (await charging).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        var topUp = (await Rows()).ShouldHaveSingleItem();
        topUp.MessageId.ShouldBe((await Service.Messages()).ShouldHaveSingleItem().MessageId);
        (await Service.State(topUp.Id.ToString())).ShouldBe(state);
        (await Service.Taken()).ShouldBe(0);
    }

    [SkippableFact]
    public async Task A_charge_that_comes_after_the_operator_has_rolled_back_is_refused_or_given_back()
    {
        var hold = Service.Wire.HoldCharge();
        var charging = Service.TopUp(await Service.Register());
        await hold.Arrived;
        await Service.Operator((halves, id) => halves.Rollback(id, "operator"));

        hold.Release();

        ((await Service.Answered(charging))["state"]!.GetValue<string>() == "succeeded").ShouldBeFalse();
        await IsGivenBack(1);
    }

    [SkippableFact]
    public async Task An_operator_who_comes_second_changes_nothing()
    {
        await Service.TopUp(await Service.Register());

        await Should.ThrowAsync<HalfMessageDecidedException>(() => Service.Operator((halves, id) => halves.Rollback(id, "operator")));
        await Service.Operator((halves, id) => halves.Commit(id, "operator"));

        (await Rows()).ShouldHaveSingleItem().State.ShouldBe(TopUpState.Succeeded);
        (await Service.Taken()).ShouldBe(500);
    }

    public async Task InitializeAsync() => service = new TopUpService(await create());

    public async Task DisposeAsync() => await (service?.DisposeAsync() ?? ValueTask.CompletedTask);

    private Task<List<TopUp>> Rows() => Service.App.InDb(db => db.TopUps.AsNoTracking().OrderBy(t => t.StartedAt).ThenBy(t => t.Id).ToListAsync());

    /// <summary>A top-up whose money was taken and whose producer did not learn of it; it waits for an operator.</summary>
    private async Task<string> Pending(string name)
    {
        var user = await Service.Register(name);
        await Service.Provider.SetPayments("charge-then-error", times: 3);
        var topUp = await Service.TopUpInTime(user);
        topUp["state"]!.GetValue<string>().ShouldBe("pending");
        await Service.App.InDb(db => db.Set<OutboxMessage>().Where(m => m.State == OutboxMessageState.Prepared)
            .ExecuteUpdateAsync(set => set.SetProperty(m => m.DueAt, (DateTime?)null)));
        return topUp["id"]!.GetValue<string>();
    }

    private async Task IsGivenBack(int topUps)
    {
        await Eventually.Holds(async () =>
        {
            Service.Clock.Advance(TimeSpan.FromSeconds(1));
            (await Rows()).Select(t => t.State).ShouldBe(Enumerable.Repeat(TopUpState.Failed, topUps));
        });
        (await Service.Taken()).ShouldBe(0);
    }
}

public sealed class OperatorTopUpOnSqliteTests() : OperatorTopUpTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class OperatorTopUpOnPostgresTests() : OperatorTopUpTests(TestDatabase.PostgresAsync);
