using System.Net;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Outbox;
using Outbox.Testing;

namespace Services.Tests;

public abstract class StartTopUpTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TopUpService? service;

    private TopUpService Service => service!;

    [SkippableFact]
    public async Task Takes_the_money_and_tells_of_it()
    {
        var user = await Service.Register();

        var response = await Service.TopUp(user);

        var topUp = await TopUpService.Accepted(response);
        topUp.AsObject().Select(field => field.Key).ShouldBe(["id", "userId", "amount", "state"]);
        topUp["userId"]!.GetValue<string>().ShouldBe(user);
        topUp["amount"]!.GetValue<long>().ShouldBe(500);
        topUp["state"]!.GetValue<string>().ShouldBe("succeeded");
        response.Headers.Location!.ToString().ShouldBe($"/top-ups/{topUp["id"]}");
        (await Service.Client.GetJson($"/top-ups/{topUp["id"]}")).ToJsonString().ShouldBe(topUp.ToJsonString());
        (await Service.Taken()).ShouldBe(500);
        var message = (await Service.Messages()).ShouldHaveSingleItem();
        message.PartitionKey.ShouldBe(user);
        message.State.ShouldNotBe(OutboxMessageState.Prepared);
        message.State.ShouldNotBe(OutboxMessageState.RolledBack);
    }

    [SkippableFact]
    public async Task Tells_nobody_of_a_payment_that_was_declined()
    {
        await Service.Provider.SetPayments("decline", times: 1);

        var topUp = await TopUpService.Accepted(await Service.TopUp(await Service.Register()));

        topUp["state"]!.GetValue<string>().ShouldBe("failed");
        (await Service.State(topUp["id"]!.GetValue<string>())).ShouldBe("failed");
        (await Service.Taken()).ShouldBe(0);
        (await Service.Messages()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.RolledBack);
    }

    // Taken, but not said so: asked again, the provider says so.
    [SkippableTheory]
    [InlineData("error")]
    [InlineData("charge-then-error")]
    [InlineData("charge-then-hang")]
    [InlineData("hang")]
    [InlineData("unreachable")]
    public async Task Asks_again_and_is_charged_once(string mode)
    {
        await Service.Provider.SetPayments(mode, times: 1);

        var topUp = await Service.TopUpInTime(await Service.Register());

        topUp["state"]!.GetValue<string>().ShouldBe("succeeded");
        (await Service.Taken()).ShouldBe(500);
    }

    [SkippableFact]
    public async Task The_same_request_is_answered_the_same_again_and_paid_once()
    {
        var user = await Service.Register();
        var first = await Service.TopUp(user, key: "key");
        var again = await Service.TopUp(user, key: "key");

        again.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        again.Headers.Location.ShouldBe(first.Headers.Location);
        (await again.Content.ReadAsStringAsync()).ShouldBe(await first.Content.ReadAsStringAsync());
        (await first.Content.ReadAsStringAsync()).ShouldContain("succeeded");
        (await Service.Taken()).ShouldBe(500);
        await (await Service.TopUp(user, 501, "key")).ShouldBeProblem(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        var other = await Service.Register("bob");
        await (await Service.TopUp(other, key: "key")).ShouldBeProblem(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        (await Service.Taken()).ShouldBe(500);
    }

    [SkippableFact]
    public async Task Without_a_key_every_request_is_a_payment()
    {
        var user = await Service.Register();
        await Service.TopUp(user);
        await Service.TopUp(user);

        (await Service.Taken()).ShouldBe(1000);
    }

    [SkippableFact]
    public async Task Concurrent_twins_all_get_the_one_top_up()
    {
        var user = await Service.Register();
        var responses = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Service.TopUp(user, key: "key")));

        responses.ShouldAllBe(response => response.StatusCode == HttpStatusCode.Accepted);
        responses.Select(response => response.Headers.Location).Distinct().Count().ShouldBe(1);
        (await Service.Taken()).ShouldBe(500);
        (await Service.Messages()).Count(m => m.State != OutboxMessageState.RolledBack).ShouldBe(1);
    }

    [SkippableTheory]
    [InlineData("{}")]
    [InlineData("""{"amount":null}""")]
    [InlineData("""{"amount":0}""")]
    [InlineData("""{"amount":-5}""")]
    [InlineData("""{"amount":1000001}""")]
    [InlineData("""{"amount":1.5}""")]
    [InlineData("""{"amount":"500"}""")]
    [InlineData("""{"amount":99999999999999999999}""")]
    [InlineData("""{"amount":true}""")]
    public async Task Says_what_is_wrong_with_the_amount_and_asks_nobody_for_money(string body)
    {
        var user = await Service.Register();
        var response = await Service.Client.PostText($"/users/{user}/top-ups", body);

        (await response.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe(["amount"]);
        await NothingHappened();
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(1_000_000)]
    public async Task Takes_what_is_just_within_the_limits(long amount)
    {
        (await Service.TopUp(await Service.Register(), amount)).StatusCode.ShouldBe(HttpStatusCode.Accepted);

        (await Service.Taken()).ShouldBe(amount);
    }

    [SkippableFact]
    public async Task Knows_no_other_users_and_no_other_top_ups()
    {
        const string nobody = "00000000-0000-0000-0000-000000000001";
        await (await Service.TopUp(nobody)).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await (await Service.Client.GetAsync($"/top-ups/{nobody}")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await (await Service.Client.GetAsync($"/users/{nobody}/top-ups")).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");
        await NothingHappened();
    }

    [SkippableFact]
    public async Task A_users_top_ups_are_read_page_by_page_in_their_order()
    {
        var (ada, bob) = (await Service.Register(), await Service.Register("bob"));
        for (var amount = 1; amount <= 5; amount++)
        {
            await Service.TopUp(ada, amount);
            Service.Clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        await Service.TopUp(bob, 6);

        (await Service.Client.ReadAll($"/users/{ada}/top-ups", 2, "amount")).ShouldBe(["1", "2", "3", "4", "5"]);
        (await Service.Client.ReadAll($"/users/{bob}/top-ups", 2, "state")).ShouldBe(["succeeded"]);
    }

    public async Task InitializeAsync() => service = new TopUpService(await create());

    public async Task DisposeAsync() => await (service?.DisposeAsync() ?? ValueTask.CompletedTask);

    private async Task NothingHappened()
    {
        (await Service.Taken()).ShouldBe(0);
        (await Service.Messages()).ShouldBeEmpty();
        (await Service.App.InDb(db => db.TopUps.CountAsync())).ShouldBe(0);
    }
}

public sealed class StartTopUpOnSqliteTests() : StartTopUpTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class StartTopUpOnPostgresTests() : StartTopUpTests(TestDatabase.PostgresAsync);
