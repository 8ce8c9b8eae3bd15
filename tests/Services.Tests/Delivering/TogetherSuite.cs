using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Notifications;
using Notifications.Delivering;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>What is taken in, begun and written down in one transaction, and what becomes of all when one of them cannot be.</summary>
public abstract class TogetherSuite(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private const string Opening = "test.opening";   // taken in alone, since it comes first

    private readonly Saves saves = new();
    private TestDatabase? database;
    private Notifier? running;

    private Notifier Notifier => running!;

    public async Task InitializeAsync()
    {
        database = await create();

        // Nothing is woken, and nothing swept but by the test.
        running = new Notifier(
            database,
            new(StringComparer.Ordinal) { ["Delivery:SweepPeriod"] = "12:00:00", ["Delivery:InFlightPerEndpoint"] = "1" },
            relays: false,
            services => services.AddSingleton(saves).AddSingleton(typeof(IDbContextOptionsConfiguration<>), typeof(Saves.Configuration<>)));
    }

    public async Task DisposeAsync()
    {
        await (running?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    [SkippableFact]
    public async Task The_first_attempt_needs_no_message_that_wakes_it()
    {
        await using var server = await HookServer.Start();
        await Notifier.AddEndpoint(server.Url);

        var id = await Notifier.TellOne();

        await Notifier.Becomes(id, DeliveryState.Delivered);
        (await Notifier.Wakes(id)).ShouldBeEmpty();
        server.Requests.Count.ShouldBe(1);
    }

    /// <summary>Whoever dies after the commit leaves what whoever dies during a call leaves.</summary>
    [SkippableFact]
    public async Task The_first_attempt_is_taken_for_a_lease_before_it_is_made()
    {
        var go = new Signal();
        await using var server = await HookServer.Start((_, _) => go.WaitAsync());
        await Notifier.AddEndpoint(server.Url);
        var id = await Notifier.TellOne();
        await server.Requests.WaitForCount(1);

        var taken = await Notifier.Delivery(id);
        (taken.State, taken.Attempt, taken.NextAttemptAt).ShouldBe((DeliveryState.Delivering, 1, null));
        taken.LeaseUntil!.Value.ShouldBeGreaterThan(taken.CreatedAt);

        // Its replica is lost.
        await Notifier.App.InDb(db => db.Deliveries.ExecuteUpdateAsync(set => set.SetProperty(d => d.LeaseUntil, taken.CreatedAt)));
        (await Notifier.Sweep()).Lapsed.ShouldBe(1);
        (await Notifier.Wakes(id)).ShouldBe([2]);
        go.Set();
        (await Notifier.Attempted.WaitFor(_ => true)).ShouldBeFalse("it comes too late");
    }

    [SkippableFact]
    public async Task Events_of_all_types_are_taken_in_together_each_once_and_told_to_whom_they_concern()
    {
        var points = await Paused("points.credited");
        var both = await Paused("points.credited,user.registered");

        var taken = await Together(Happening("points.credited", "1"), Happening("user.registered", "1"), Happening("points.credited", "1"), Happening("topup.succeeded", "1"));

        taken.ShouldAllBe(done => done);
        (await Notifier.App.InDb(db => Events(db).Select(e => e.Type).ToListAsync()))
            .ShouldBe(["points.credited", "user.registered", "topup.succeeded"], ignoreOrder: true);
        (await Notifier.App.InDb(db => db.Notifications.CountAsync(n => n.Event.Type != Opening))).ShouldBe(3);
        (await Notifier.App.InDb(db => db.Deliveries.Select(d => d.EndpointId).ToListAsync())).ShouldBe([points, both, both], ignoreOrder: true);
        (await Together(Happening("points.credited", "1"), Happening("points.credited", "2"))).ShouldAllBe(done => done);
        (await Notifier.App.InDb(db => Events(db).CountAsync())).ShouldBe(4, "the first of them was there");
    }

    [SkippableFact]
    public async Task What_cannot_be_stored_keeps_none_of_the_others_and_no_place()
    {
        await Notifier.AddEndpoint(new Uri("http://127.0.0.1:9/"));

        // One is refused before anything is begun, one when all is saved.
        (await Together(Happening("topup.succeeded", "1"), Happening("topup.succeeded", "2", new string('x', BusinessEvent.MaxBody)))).ShouldAllBe(done => !done);
        (await Together(Happening("topup.succeeded", "1"), Happening("topup.succeeded", null!))).ShouldAllBe(done => !done);

        (await Notifier.App.InDb(db => Events(db).CountAsync())).ShouldBe(0);
        Notifier.App.Services.GetRequiredService<EndpointLanes>().InFlight.ShouldBe(0);
    }

    [SkippableFact]
    public async Task What_is_for_very_many_endpoints_is_taken_in_by_several_transactions()
    {
        const int Endpoints = 30;
        for (var i = 0; i < Endpoints; i++)
        {
            await Paused("topup.succeeded");
        }

        (await Together([.. Enumerable.Range(0, 63).Select(i => Happening("topup.succeeded", $"{i % 60}"))])).ShouldAllBe(done => done);

        (await Notifier.App.InDb(db => Events(db).CountAsync())).ShouldBe(60, "each once");
        (await Notifier.App.InDb(db => db.Deliveries.CountAsync())).ShouldBe(60 * Endpoints);
        saves.Of<Delivery>().Max().ShouldBeLessThan(EventLog.MostRows + Endpoints);
    }

    /// <summary>By the bus: what is refused is tried again alone, and its neighbours are not.</summary>
    [SkippableFact]
    public async Task An_event_that_cannot_be_stored_goes_its_own_way()
    {
        var (bad, good) = (NewId.NextGuid(), NewId.NextGuid());
        var now = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        var told = new Contracts.PointsCredited(NewId.NextGuid(), NewId.NextGuid(), 1, 1, "", "key", now);
        await Task.WhenAll(
            Notifier.App.Publish(told with { BusinessKey = "bad", Reason = new string('x', BusinessEvent.MaxBody) }, bad),
            Notifier.App.Publish(told, good));

        (await Notifier.App.Received.WaitFor(message => message.MessageId == good)).Fault.ShouldBeNull();
        await Notifier.App.Received.WaitFor(message => message.MessageId == bad);
        (await Notifier.App.InDb(db => db.Events.Select(e => e.BusinessKey).ToListAsync())).ShouldBe(["key"]);
        (await Notifier.App.InDb(db => db.Set<Outbox.OutboxMessage>().CountAsync())).ShouldBe(1, "the one that is to be redelivered");
    }

    [SkippableFact]
    public async Task What_finds_no_place_is_stored_as_parked()
    {
        var go = new Signal();
        await using var server = await HookServer.Start((_, _) => go.WaitAsync());
        await Notifier.AddEndpoint(server.Url);
        List<Guid> ids = [await Notifier.TellOne(), await Notifier.TellOne()];   // all places that there are for one call

        ids.Add(await Notifier.TellOne());

        var parked = await Notifier.Delivery(ids[2]);
        (parked.State, parked.Attempt, parked.LeaseUntil).ShouldBe((DeliveryState.Pending, 1, null));
        parked.NextAttemptAt!.Value.ShouldBeGreaterThan(parked.CreatedAt);
        (await Notifier.Wakes(ids[2])).ShouldBe([1]);
        go.Set();
    }

    [SkippableFact]
    public async Task A_notifier_that_is_stopped_gives_back_the_first_attempts_that_it_cannot_finish()
    {
        var go = new Signal();
        await using var server = await HookServer.Start((_, _) => go.WaitAsync());
        await Notifier.AddEndpoint(server.Url);
        var id = await Notifier.TellOne();
        await server.Requests.WaitForCount(1);
        var attempts = Notifier.App.Services.GetServices<IHostedService>().OfType<FirstAttempts>().Single();
        using var limit = new CancellationTokenSource();

        var stopping = attempts.StopAsync(limit.Token);
        stopping.IsCompleted.ShouldBeFalse("it has time to finish");
        await limit.CancelAsync();
        await stopping;

        var back = await Notifier.Delivery(id);
        (back.State, back.Attempt, back.Step, back.LeaseUntil).ShouldBe((DeliveryState.Pending, 1, 0, null));
        (await Notifier.Wakes(id)).ShouldBe([1]);
        (await Notifier.Attempts(id)).ShouldBeEmpty();
        go.Set();
    }

    [SkippableFact]
    public async Task Outcomes_are_written_down_together_and_one_that_does_not_count_keeps_none_of_the_others()
    {
        var endpoint = await Notifier.AddEndpoint(new Uri("http://127.0.0.1:9/"));
        var ids = new[] { await Notifier.WaitingOne(endpoint), await Notifier.WaitingOne(endpoint), await Notifier.WaitingOne(endpoint) };
        var works = new List<DeliveryWork>();
        foreach (var id in ids)
        {
            works.Add(await Taken(id));
        }

        await Notifier.Ask(ids[1], "ack");

        var outcomes = Notifier.App.Services.GetRequiredService<Outcomes>();
        await AtOnce(() => works.ConvertAll(work => Record(outcomes, work)));

        (await Notifier.Delivery(ids[0])).State.ShouldBe(DeliveryState.Delivered);
        (await Notifier.Delivery(ids[1])).State.ShouldBe(DeliveryState.Acknowledged);
        (await Notifier.Delivery(ids[2])).State.ShouldBe(DeliveryState.Delivered);
        foreach (var id in ids)
        {
            (await Notifier.Attempts(id)).Count.ShouldBe(id == ids[1] ? 0 : 1);
        }

        Notifier.Attempted.Values.Count(counted => counted).ShouldBe(2);
    }

    [SkippableFact]
    public async Task What_is_to_be_told_of_an_endpoint_too_keeps_no_outcome_from_being_written_down_with_the_others()
    {
        var (endpoint, statuses) = (await Notifier.AddEndpoint(new Uri("http://127.0.0.1:9/")), new[] { 200, 429, 200, 503, 410, 200 });
        var works = new List<DeliveryWork>();
        foreach (var _ in statuses)
        {
            works.Add(await Taken(await Notifier.WaitingOne(endpoint)));
        }

        var outcomes = Notifier.App.Services.GetRequiredService<Outcomes>();
        await AtOnce(() => [.. works.Zip(statuses, (work, status) => Record(outcomes, work, status))]);

        saves.Of<DeliveryAttempt>().Count.ShouldBeLessThanOrEqualTo(2, "the first may have come alone");
        var states = new List<DeliveryState>();
        foreach (var work in works)
        {
            states.Add((await Notifier.Delivery(work.Id)).State);
        }

        states.ShouldBe([
            DeliveryState.Delivered, DeliveryState.Pending, DeliveryState.Delivered, DeliveryState.Pending, DeliveryState.Held, DeliveryState.Delivered]);
        var told = await Notifier.Endpoint(endpoint);
        told.State.ShouldBe(EndpointState.Disabled);
        told.ThrottledUntil.ShouldNotBeNull();
    }

    private static IQueryable<BusinessEvent> Events(NotificationsDb db) => db.Events.Where(e => e.Type != Opening);

    private static Happening Happening(string type, string key, string reason = "") =>
        new(type, key, new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc), new { reason });

    private Task<Guid> Paused(string types) => Notifier.AddEndpoint(
        new Uri("http://127.0.0.1:9/"), e => (e.State, e.EventTypes) = (EndpointState.Paused, EventTypeList.Write(types.Split(','))));

    private Task<DeliveryWork> Taken(Guid id) => Notifier.InScope(async services =>
    {
        var rows = services.GetRequiredService<DeliveryRows>();
        var work = (await rows.Load(new WakeDelivery(id, 1), CancellationToken.None)).ShouldNotBeNull();
        (await rows.Take(work, CancellationToken.None)).ShouldBeTrue();
        return work;
    });

    private static async Task<bool> Record(Outcomes outcomes, DeliveryWork work, int status = 200)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var answer = new WebhookAnswer(null, status);
        await outcomes.Record(work, new Exchange(now, TimeSpan.Zero, answer, Verdict.Of(answer, work.Endpoint, work.Step, now, 0)), CancellationToken.None);
        return true;
    }

    /// <summary>Has events taken in by one transaction.</summary>
    private Task<bool[]> Together(params Happening[] happenings)
    {
        var intake = Notifier.App.Services.GetRequiredService<EventIntake>();
        return AtOnce(() => [intake.Add(Happening(Opening, NewId.NextGuid().ToString())), .. happenings.Select(intake.Add)], skip: 1);
    }

    /// <summary>Begins work while the database has no turn for it, so that all but the first is done together.</summary>
    private async Task<bool[]> AtOnce(Func<List<Task<bool>>> begin, int skip = 0)
    {
        var (turns, go) = (Notifier.App.Services.GetRequiredService<DatabaseTurns>(), new Signal());
        var others = Enumerable.Range(0, DatabaseTurns.OnServer).Select(_ => turns.Run(() => go.WaitAsync(), CancellationToken.None)).ToList();
        var work = begin();
        go.Set();
        await Task.WhenAll(others);
        return (await Task.WhenAll(work))[skip..];
    }

    /// <summary>How many new rows each save had.</summary>
    private sealed class Saves : SaveChangesInterceptor
    {
        private readonly SignalLog<List<Type>> all = new();

        public List<int> Of<TRow>() => [.. all.Values.Select(types => types.Count(type => type == typeof(TRow))).Where(count => count > 0)];

        public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            all.Add([.. eventData.Context!.ChangeTracker.Entries().Where(e => e.State == EntityState.Added).Select(e => e.Metadata.ClrType)]);
            return ValueTask.FromResult(result);
        }

        public sealed class Configuration<TContext>(Saves saves) : IDbContextOptionsConfiguration<TContext>
            where TContext : DbContext
        {
            public void Configure(IServiceProvider serviceProvider, DbContextOptionsBuilder optionsBuilder) => optionsBuilder.AddInterceptors(saves);
        }
    }
}

public sealed class SqliteTogetherTests() : TogetherSuite(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresTogetherTests() : TogetherSuite(TestDatabase.PostgresAsync);

public sealed class SqlServerTogetherTests() : TogetherSuite(TestDatabase.SqlServerAsync);
