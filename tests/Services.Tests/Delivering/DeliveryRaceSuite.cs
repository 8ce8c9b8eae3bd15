using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Notifications.Delivering;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>Who takes an attempt, whose outcome counts, and what the sweeper makes of what is left lying.</summary>
public abstract class DeliveryRaceSuite(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private static readonly WebhookAnswer Fine = new(null, 200);

    private TestDatabase? database;
    private Notifier? running;

    private Notifier Notifier => running!;

    public async Task InitializeAsync()
    {
        database = await create();

        // Nothing is swept but by the test, and nothing is delivered.
        running = new Notifier(database, new(StringComparer.Ordinal) { ["Delivery:SweepPeriod"] = "12:00:00" }, relays: false);
    }

    public async Task DisposeAsync()
    {
        await (running?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    [SkippableFact]
    public async Task Of_many_who_want_an_attempt_one_takes_it()
    {
        var id = await Waiting();

        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Take(id)));

        taken.Count(work => work is not null).ShouldBe(1);
        var delivery = await Notifier.Delivery(id);
        (delivery.State, delivery.NextAttemptAt).ShouldBe((DeliveryState.Delivering, null));
        delivery.LeaseUntil.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task An_outcome_counts_once()
    {
        var work = await Taken();

        var counted = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Record(work, Fine)));

        counted.Count(c => c).ShouldBe(1);
        (await Notifier.Attempts(work.Id)).ShouldHaveSingleItem();
    }

    [SkippableTheory]
    [InlineData(DeliveryState.Acknowledged)]
    [InlineData(DeliveryState.Held)]
    [InlineData(DeliveryState.Pending)]
    public async Task An_outcome_that_comes_second_changes_nothing(DeliveryState first)
    {
        var work = await Taken();
        await Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == work.Id).ExecuteUpdateAsync(set => set.SetProperty(d => d.State, first)));

        (await Record(work, Fine)).ShouldBeFalse();

        (await Notifier.Delivery(work.Id)).State.ShouldBe(first);
        (await Notifier.Attempts(work.Id)).ShouldBeEmpty();
    }

    /// <summary>Sent again meanwhile, and under way again: the state is the same, the number is not.</summary>
    [SkippableFact]
    public async Task An_outcome_of_an_attempt_before_changes_nothing()
    {
        var work = await Taken();
        await Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == work.Id).ExecuteUpdateAsync(set => set.SetProperty(d => d.Attempt, 2)));

        (await Record(work, Fine)).ShouldBeFalse();

        var delivery = await Notifier.Delivery(work.Id);
        (delivery.State, delivery.Attempt).ShouldBe((DeliveryState.Delivering, 2));
        (await Notifier.Attempts(work.Id)).ShouldBeEmpty();
    }

    [SkippableTheory]
    [InlineData(1)]     // before its time
    [InlineData(2)]     // of another attempt
    public async Task A_wake_up_that_is_not_for_now_changes_nothing(int attempt)
    {
        var id = await Waiting();
        var later = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(1);
        await Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == id).ExecuteUpdateAsync(set => set.SetProperty(d => d.NextAttemptAt, later)));

        await Notifier.InScope(async services =>
        {
            await services.GetRequiredService<Attempting>().Run(new WakeDelivery(id, attempt), CancellationToken.None);
            return true;
        });

        (await Notifier.Delivery(id)).State.ShouldBe(DeliveryState.Pending, "otherwise it would be held, as its endpoint is");
    }

    [SkippableFact]
    public async Task An_attempt_whose_replica_was_lost_counts_as_failed_and_the_next_one_follows_at_once()
    {
        var lost = await Taken();
        await Expire(lost.Id);

        (await Notifier.Sweep()).ShouldBe(new Sweep(1, 0, 0));
        (await Notifier.Sweep()).Lapsed.ShouldBe(0);

        var delivery = await Notifier.Delivery(lost.Id);
        (delivery.State, delivery.Attempt, delivery.Step, delivery.LeaseUntil).ShouldBe((DeliveryState.Pending, 2, 1, null));
        delivery.NextAttemptAt!.Value.ShouldBeLessThanOrEqualTo(TimeProvider.System.GetUtcNow().UtcDateTime);
        (await Notifier.Wakes(lost.Id)).ShouldContain(2);
        (await Notifier.Attempts(lost.Id)).ShouldHaveSingleItem().Outcome.ShouldBe(AttemptOutcome.TimedOut);

        // The lost replica was only slow, and comes back with its outcome.
        (await Record(lost, Fine)).ShouldBeFalse();
    }

    [SkippableFact]
    public async Task A_delivery_that_kills_whoever_makes_it_does_not_go_on_for_ever()
    {
        var work = await Taken();
        await Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == work.Id).ExecuteUpdateAsync(set => set.SetProperty(d => d.Step, 7)));
        work = work with { Step = 7 };
        await Expire(work.Id);

        await Notifier.Sweep();

        (await Notifier.Delivery(work.Id)).State.ShouldBe(DeliveryState.Exhausted);
    }

    [SkippableFact]
    public async Task Two_replicas_that_sweep_at_once_wake_each_delivery_once()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 10; i++)
        {
            ids.Add(await Waiting());
        }

        var longAgo = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-1);
        await Notifier.App.InDb(db => db.Deliveries.ExecuteUpdateAsync(set => set.SetProperty(d => d.NextAttemptAt, longAgo)));

        var sweeps = await Task.WhenAll(Notifier.Sweep(), Notifier.Sweep());

        sweeps.Sum(s => s.Overdue).ShouldBe(10);
        (await Notifier.Sweep()).Overdue.ShouldBe(0, "woken, and not overdue again yet");
        foreach (var id in ids)
        {
            (await Notifier.Wakes(id)).Count(attempt => attempt == 1).ShouldBe(1);
        }
    }

    [SkippableFact]
    public async Task What_is_held_on_an_active_endpoint_is_released_under_a_new_number()
    {
        var id = await Waiting();
        await Notifier.App.InDb(db => db.Deliveries.ExecuteUpdateAsync(set => set
            .SetProperty(d => d.State, DeliveryState.Held).SetProperty(d => d.NextAttemptAt, (DateTime?)null)));
        (await Notifier.Sweep()).Released.ShouldBe(0, "the endpoint is paused");

        await Notifier.App.InDb(db => db.Endpoints.ExecuteUpdateAsync(set => set
            .SetProperty(e => e.State, EndpointState.Active)
            .SetProperty(e => e.ThrottledUntil, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1))));
        (await Task.WhenAll(Notifier.Sweep(), Notifier.Sweep())).Sum(s => s.Released).ShouldBe(1);

        var delivery = await Notifier.Delivery(id);
        (delivery.State, delivery.Attempt).ShouldBe((DeliveryState.Pending, 2));
        (await Notifier.Wakes(id)).ShouldContain(2);
    }

    [SkippableFact]
    public async Task What_cannot_begin_now_is_parked_once()
    {
        var id = await Waiting();
        var work = (await Load(id))!;
        var until = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Notifier.InScope(async services =>
        {
            await services.GetRequiredService<DeliveryRows>().Park(work, until.AddSeconds(i), CancellationToken.None);
            return true;
        })));

        (await Notifier.Wakes(id)).Count.ShouldBe(1);
        (await Notifier.Delivery(id)).NextAttemptAt!.Value.ShouldBe(until, TimeSpan.FromSeconds(5));
    }

    [SkippableFact]
    public async Task What_is_begun_anew_is_woken_and_what_waits_already_is_not()
    {
        var (waits, exhausted) = (await Waiting(), await Waiting());
        await Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == exhausted).ExecuteUpdateAsync(set => set
            .SetProperty(d => d.State, DeliveryState.Exhausted).SetProperty(d => d.NextAttemptAt, (DateTime?)null)));

        var begun = await Notifier.InScope(async services =>
        {
            var db = services.GetRequiredService<NotificationsDb>();
            await using var transaction = await db.Database.BeginTransactionAsync();
            var count = await services.GetRequiredService<DeliveryStart>()
                .BeginAnew([waits, exhausted], DeliveryState.Exhausted, EndpointState.Active, CancellationToken.None);
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
            return count;
        });

        begun.ShouldBe(1);
        (await Notifier.Wakes(exhausted)).ShouldBe([2]);
        (await Notifier.Wakes(waits)).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Of_many_recoveries_that_are_asked_for_at_once_one_is_begun()
    {
        var endpoint = await Notifier.AddEndpoint(new Uri("http://127.0.0.1:9/"));
        using var client = Notifier.App.CreateClient().As(Keys.Receiver);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => client.SendJson(
            HttpMethod.Post, $"/v1/endpoints/{endpoint}/recover", """{"since":"2026-01-01T00:00:00Z","scope":"missing"}""")));

        answers.Select(answer => answer.StatusCode).Order()
            .ShouldBe([HttpStatusCode.Accepted, .. Enumerable.Repeat(HttpStatusCode.Conflict, 7)]);
        (await Notifier.App.InDb(db => db.Jobs.CountAsync())).ShouldBe(1);
        (await Notifier.Endpoint(endpoint)).Version.ShouldBe(1, "it was not changed");
    }

    [SkippableFact]
    public async Task A_place_in_the_rate_is_given_once_among_all_replicas()
    {
        await Waiting();
        await Notifier.App.InDb(db => db.Endpoints.ExecuteUpdateAsync(set => set.SetProperty(e => e.RateLimit, 1)));
        var endpoint = await Notifier.App.InDb(db => db.Endpoints.AsNoTracking().SingleAsync());

        var given = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Notifier.InScope(services =>
            services.GetRequiredService<DeliveryRows>().TakeRateSlot(endpoint, CancellationToken.None))));

        given.Count(g => g).ShouldBe(1);
    }

    /// <summary>A delivery that waits for its first attempt, at an endpoint that is paused; no wake-up is on its way.</summary>
    private async Task<Guid> Waiting()
    {
        if (!await Notifier.App.InDb(db => db.Endpoints.AnyAsync()))
        {
            await Notifier.AddEndpoint(new Uri("http://127.0.0.1:9/"), e => e.State = EndpointState.Paused);
        }

        var id = await Notifier.TellOne();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == id).ExecuteUpdateAsync(set => set
            .SetProperty(d => d.State, DeliveryState.Pending).SetProperty(d => d.NextAttemptAt, now)));
        return id;
    }

    private async Task<DeliveryWork> Taken() => (await Take(await Waiting())).ShouldNotBeNull();

    private Task<DeliveryWork?> Load(Guid id) => Notifier.InScope(services =>
        services.GetRequiredService<DeliveryRows>().Load(new WakeDelivery(id, 1), CancellationToken.None));

    private Task<DeliveryWork?> Take(Guid id) => Notifier.InScope(async services =>
    {
        var rows = services.GetRequiredService<DeliveryRows>();
        return await rows.Load(new WakeDelivery(id, 1), CancellationToken.None) is { } work && await rows.Take(work, CancellationToken.None) ? work : null;
    });

    private Task<bool> Record(DeliveryWork work, WebhookAnswer answer) => Notifier.InScope(services =>
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var exchange = new Exchange(now, TimeSpan.Zero, answer, Verdict.Of(answer, work.Endpoint, work.Step, now, 0));
        return services.GetRequiredService<DeliveryRows>().Record(work, exchange, CancellationToken.None);
    });

    private Task Expire(Guid id) => Notifier.App.InDb(db => db.Deliveries.Where(d => d.Id == id).ExecuteUpdateAsync(set =>
        set.SetProperty(d => d.LeaseUntil, TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(-1))));
}

public sealed class SqliteDeliveryRaceTests() : DeliveryRaceSuite(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresDeliveryRaceTests() : DeliveryRaceSuite(TestDatabase.PostgresAsync);

public sealed class SqlServerDeliveryRaceTests() : DeliveryRaceSuite(TestDatabase.SqlServerAsync);
