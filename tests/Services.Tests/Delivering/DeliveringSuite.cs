using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Notifications;
using Notifications.Delivering;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>From what happened to the receiver's answer, on every database, over real HTTP.</summary>
public abstract class DeliveringSuite(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? database;
    private Notifier? notifier;

    internal Notifier Notifier => notifier ??= Start();

    public async Task InitializeAsync() => database = await create();

    public async Task DisposeAsync()
    {
        await (notifier?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    internal Notifier Start(params (string Key, string Value)[] settings) =>
        notifier = new Notifier(database!, settings.ToDictionary(s => $"Delivery:{s.Key}", s => (string?)s.Value, StringComparer.Ordinal));

    [SkippableFact]
    public async Task A_receiver_that_fails_five_times_and_then_works_is_told_once_in_six_attempts()
    {
        var count = 0;
        await using var server = await HookServer.Start((_, http) => Answer(http, ++count <= 5 ? 500 : 200, "thanks"));
        await Notifier.AddEndpoint(server.Url);

        var id = await Notifier.TellOne();

        await Notifier.Becomes(id, DeliveryState.Delivered);
        server.Requests.Count.ShouldBe(6);
        server.Requests.Values.Select(r => r.WebhookId).Distinct(StringComparer.Ordinal).Count().ShouldBe(1);
        server.Requests.Values.Select(r => r.Body).ShouldAllBe(b => b.SequenceEqual(server.Requests.Values[0].Body));
        var attempts = await Notifier.Attempts(id);
        attempts.Select(a => a.Number).ShouldBe([1, 2, 3, 4, 5, 6]);
        attempts.Select(a => a.StatusCode).ShouldBe([500, 500, 500, 500, 500, 200]);
        attempts.Take(5).ShouldAllBe(a => a.Outcome == AttemptOutcome.Refused && a.NextAttemptAt > a.StartedAt);
        (attempts[5].Outcome, attempts[5].Answer, attempts[5].NextAttemptAt).ShouldBe((AttemptOutcome.Delivered, "thanks", null));
        for (var i = 1; i < 6; i++)
        {
            attempts[i].StartedAt.ShouldBeGreaterThanOrEqualTo(attempts[i - 1].NextAttemptAt!.Value, "never early");
        }
    }

    [SkippableFact]
    public async Task A_receiver_that_never_works_is_given_up_at_the_end_of_its_schedule_and_not_forgotten()
    {
        await using var server = await HookServer.Start((_, http) => Answer(http, 500));
        await Notifier.AddEndpoint(server.Url);

        var id = await Notifier.TellOne();

        var delivery = await Notifier.Becomes(id, DeliveryState.Exhausted);
        (delivery.NextAttemptAt, delivery.LeaseUntil).ShouldBe((null, null));
        server.Requests.Count.ShouldBe(8);
        (await Notifier.Attempts(id)).Count.ShouldBe(8);
    }

    [SkippableFact]
    public async Task What_is_sent_is_signed_with_both_keys_during_a_rotation_and_bears_the_trace()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "MassTransit",
            Sample = (ref _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        using var cause = new Activity("cause").Start();
        await using var server = await HookServer.Start();
        byte[] before = [.. Notifier.Key.Reverse()];
        var endpoint = await Notifier.AddEndpoint(server.Url);
        var sealedKey = Notifier.Seal(endpoint, before);
        await Notifier.ChangeEndpoint(endpoint, set => set
            .SetProperty(e => e.PreviousSecret, sealedKey)
            .SetProperty(e => e.PreviousSecretUntil, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1)));
        var id = await Notifier.TellOne();
        await Notifier.Becomes(id, DeliveryState.Delivered);

        var request = server.Requests.Values.ShouldHaveSingleItem();
        request.WebhookId.ShouldBe((await Notifier.Delivery(id)).NotificationId.ToString());
        request.Headers["webhook-signature"].ShouldBe(
            WebhookSignature.Sign(request.WebhookId, long.Parse(request.Headers["webhook-timestamp"], CultureInfo.InvariantCulture), request.Body, [Notifier.Key, before]));
        var stored = await Notifier.App.InDb(db => db.Events.SingleAsync());
        request.Body.ShouldBe(stored.Body);
        request.Headers["traceparent"].ShouldBe(stored.TraceParent);
        request.Headers["traceparent"].ShouldContain(cause.TraceId.ToHexString());
    }

    [SkippableFact]
    public async Task An_endpoint_that_is_gone_is_disabled_and_its_deliveries_wait_until_it_is_resumed()
    {
        var status = 410;
        await using var server = await HookServer.Start((_, http) => Answer(http, status));
        var endpoint = await Notifier.AddEndpoint(server.Url);

        var first = await Notifier.TellOne();
        await Notifier.Becomes(first, DeliveryState.Held);
        var second = await Notifier.TellOne();

        var disabled = await Notifier.Endpoint(endpoint);
        (disabled.State, disabled.Version).ShouldBe((EndpointState.Disabled, 2));
        disabled.DisabledReason.ShouldNotBeNull().ShouldContain("410");
        await Notifier.Becomes(second, DeliveryState.Held);
        server.Requests.Count.ShouldBe(1);

        status = 200;
        await Notifier.ChangeEndpoint(endpoint, set => set.SetProperty(e => e.State, EndpointState.Active));
        await Notifier.Becomes(first, DeliveryState.Delivered);
        await Notifier.Becomes(second, DeliveryState.Delivered);
        (await Notifier.Attempts(first)).Select(a => a.Outcome).ShouldBe([AttemptOutcome.Gone, AttemptOutcome.Delivered]);
    }

    [SkippableFact]
    public async Task A_receiver_that_asks_for_a_pause_gets_it_for_all_that_it_is_told()
    {
        var count = 0;
        await using var server = await HookServer.Start((_, http) =>
        {
            http.Response.Headers.RetryAfter = "3";
            return Answer(http, ++count == 1 ? 429 : 200);
        });
        var endpoint = await Notifier.AddEndpoint(server.Url);

        var first = await Notifier.TellOne();
        await server.Requests.WaitForCount(1);
        var until = (await Eventually.Get(() => Notifier.Endpoint(endpoint), e => e.ThrottledUntil is not null)).ThrottledUntil!.Value;
        var second = await Notifier.TellOne();
        await Notifier.Becomes(first, DeliveryState.Delivered);
        await Notifier.Becomes(second, DeliveryState.Delivered);

        server.Requests.Count.ShouldBe(3);
        (await Notifier.Attempts(first))[1].StartedAt.ShouldBeGreaterThanOrEqualTo(until);
        (await Notifier.Attempts(second)).ShouldHaveSingleItem().StartedAt.ShouldBeGreaterThanOrEqualTo(until);
    }

    [SkippableFact]
    public async Task What_comes_while_an_endpoint_is_paused_is_told_when_it_is_resumed_at_its_rate()
    {
        await using var server = await HookServer.Start();
        var endpoint = await Notifier.AddEndpoint(server.Url, e => (e.State, e.RateLimit) = (EndpointState.Paused, 5));
        for (var i = 0; i < 12; i++)
        {
            await Notifier.Tell();
        }

        server.Requests.Count.ShouldBe(0);
        var resumed = TimeProvider.System.GetUtcNow().UtcDateTime;
        await Notifier.ChangeEndpoint(endpoint, set => set.SetProperty(e => e.State, EndpointState.Active));

        await server.Requests.WaitForCount(12);
        await Eventually.Is(async () => await Notifier.App.InDb(db => db.Deliveries.AllAsync(d => d.State == DeliveryState.Delivered)));
        var starts = (await Notifier.App.InDb(db => db.Attempts.Select(a => a.StartedAt).ToListAsync())).Order().ToList();
        for (var i = 0; i < starts.Count; i++)
        {
            (starts[i] - resumed).ShouldBeGreaterThanOrEqualTo(i * TimeSpan.FromSeconds(0.2), "each has a slot of its own, however late those before it began");
        }
    }

    [SkippableFact]
    public async Task An_acknowledgement_during_an_attempt_stays()
    {
        var (asked, go) = (new Signal(), new Signal());
        await using var server = await HookServer.Start(async (_, http) =>
        {
            asked.Set();
            await go.WaitAsync();
            http.Response.StatusCode = 500;
        });
        await Notifier.AddEndpoint(server.Url);
        var id = await Notifier.TellOne();
        await asked.WaitAsync();

        await Notifier.Ask(id, "ack");
        go.Set();

        (await Notifier.Attempted.WaitFor(_ => true)).ShouldBeFalse();
        (await Notifier.Delivery(id)).State.ShouldBe(DeliveryState.Acknowledged);
        (await Notifier.Attempts(id)).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_resend_during_an_attempt_makes_one_chain()
    {
        var (asked, go, count) = (new Signal(), new Signal(), 0);
        await using var server = await HookServer.Start(async (_, http) =>
        {
            if (Interlocked.Increment(ref count) == 1)
            {
                asked.Set();
                await go.WaitAsync();
                http.Response.StatusCode = 500;   // would start a second chain, were it counted
            }
        });
        await Notifier.AddEndpoint(server.Url);
        var id = await Notifier.TellOne();
        await asked.WaitAsync();

        await Notifier.Ask(id, "resend");
        await Notifier.Becomes(id, DeliveryState.Delivered);
        go.Set();
        await Notifier.Attempted.WaitFor(counted => !counted);

        (await Notifier.Attempts(id)).Select(a => (a.Number, a.Outcome)).ShouldBe([(2, AttemptOutcome.Delivered)]);
        (await Notifier.Delivery(id)).State.ShouldBe(DeliveryState.Delivered);
        server.Requests.Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_receiver_that_hangs_delays_no_other_and_is_not_called_more_than_its_cap()
    {
        var (hanging, most, gate) = (0, 0, new Lock());
        await using var slow = await HookServer.Start(async (_, http) =>
        {
            lock (gate)
            {
                most = Math.Max(most, ++hanging);
            }

            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        });
        await using var quick = await HookServer.Start();
        Start(("InFlightPerEndpoint", "3"), ("Timeout", "00:00:20"));
        var dead = await Notifier.AddEndpoint(slow.Url);
        var alive = await Notifier.AddEndpoint(quick.Url);
        for (var i = 0; i < 20; i++)
        {
            await Notifier.Tell();
        }

        await quick.Requests.WaitForCount(20);

        await Eventually.Is(async () => await Notifier.App.InDb(db => db.Deliveries.CountAsync(d => d.EndpointId == alive && d.State == DeliveryState.Delivered)) == 20);
        most.ShouldBeLessThanOrEqualTo(3);
        var states = await Notifier.App.InDb(db => db.Deliveries.Where(d => d.EndpointId == dead).Select(d => d.State).ToListAsync());
        states.Count.ShouldBe(20);
        states.ShouldAllBe(s => s == DeliveryState.Pending || s == DeliveryState.Delivering);
    }

    /// <summary>What waits for an answer keeps neither a consumer nor a connection from the others.</summary>
    [SkippableFact]
    public async Task Receivers_that_hang_delay_no_other_however_many_they_are()
    {
        var go = new Signal();
        await using var slow = await HookServer.Start((_, _) => go.WaitAsync(Eventually.Limit * 2));
        await using var quick = await HookServer.Start();
        Start(("Timeout", "00:01:00"), ("Lease", "00:02:00"));
        for (var i = 0; i < 5; i++)
        {
            await Notifier.AddEndpoint(slow.Url);
        }

        for (var i = 0; i < 8; i++)
        {
            await Notifier.Tell();
        }

        await slow.Requests.WaitForCount(5 * 8);
        var alive = await Notifier.AddEndpoint(quick.Url);
        await Notifier.Becomes(await Notifier.TellOne(alive), DeliveryState.Delivered);
        go.Set();
    }

    [SkippableFact]
    public async Task Receivers_that_begin_to_hang_all_at_once_and_take_all_places_delay_no_other_until_they_time_out()
    {
        var go = new Signal();
        await using var slow = await HookServer.Start((_, _) => go.WaitAsync(Eventually.Limit * 2));
        await using var quick = await HookServer.Start();
        Start(("InFlight", "4"), ("Timeout", "00:01:00"), ("Lease", "00:02:00"));
        for (var i = 0; i < 6; i++)
        {
            await Notifier.AddEndpoint(slow.Url);
        }

        await Notifier.Tell();
        await slow.Requests.WaitForCount(4);

        await Notifier.Becomes(await Notifier.TellOne(await Notifier.AddEndpoint(quick.Url)), DeliveryState.Delivered);
        go.Set();
    }

    [SkippableFact]
    public async Task What_finds_all_calls_of_its_endpoint_made_is_given_back_as_if_it_had_not_been_taken()
    {
        var go = new Signal();
        await using var server = await HookServer.Start((_, _) => go.WaitAsync());
        notifier = new Notifier(database!, new(StringComparer.Ordinal) { ["Delivery:InFlightPerEndpoint"] = "1" }, relays: false);
        var endpoint = await Notifier.AddEndpoint(server.Url);
        var (first, second) = (await Notifier.WaitingOne(endpoint), await Notifier.WaitingOne(endpoint));
        var before = await Notifier.Delivery(second);
        var calling = Attempt(first);
        await server.Requests.WaitForCount(1);

        await Attempt(second);

        var parked = await Notifier.Delivery(second);
        (parked.State, parked.Attempt, parked.Step, parked.LeaseUntil, parked.UpdatedAt).ShouldBe((DeliveryState.Pending, 1, 0, null, before.UpdatedAt));
        parked.NextAttemptAt!.Value.ShouldBeGreaterThan(before.NextAttemptAt!.Value);
        (await Notifier.Attempts(second)).ShouldBeEmpty();
        server.Requests.Count.ShouldBe(1);
        go.Set();
        await calling;
        (await Notifier.Delivery(first)).State.ShouldBe(DeliveryState.Delivered);
    }

    /// <summary>This replica was paused after it had taken the attempt: another one may be about to make the next.</summary>
    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_attempt_whose_lease_is_nearly_over_is_given_back_and_not_made(bool isFirst)
    {
        await using var server = await HookServer.Start();
        var callers = new ManualTimeProvider();
        notifier = new Notifier(
            database!, relays: false, configure: services => services.Replace(ServiceDescriptor.Singleton(provider => ActivatorUtilities.CreateInstance<Calling>(provider, callers))));
        var endpoint = await Notifier.AddEndpoint(server.Url);
        var settings = Notifier.App.Services.GetRequiredService<DeliverySettings>();
        callers.AdvanceUtcOnly(TimeProvider.System.GetUtcNow() + settings.Lease - (settings.Timeout / 2) - callers.GetUtcNow());
        Guid id;
        if (isFirst)
        {
            id = await Notifier.TellOne();
        }
        else
        {
            id = await Notifier.WaitingOne(endpoint);
            await Attempt(id);
        }

        var back = await Eventually.Get(() => Notifier.Delivery(id), d => d.State == DeliveryState.Pending);
        (back.Attempt, back.Step, back.LeaseUntil).ShouldBe((1, 0, null));
        (await Notifier.Wakes(id)).ShouldBe([1]);
        (await Notifier.Attempts(id)).ShouldBeEmpty();
        server.Requests.Count.ShouldBe(0);
    }

    [SkippableFact]
    public async Task A_notifier_that_is_stopped_gives_back_the_attempt_that_it_cannot_finish()
    {
        var go = new Signal();
        await using var server = await HookServer.Start((_, _) => go.WaitAsync());
        notifier = new Notifier(database!, relays: false);
        var id = await Notifier.WaitingOne(await Notifier.AddEndpoint(server.Url));
        using var stop = new CancellationTokenSource();
        var attempting = Attempt(id, stop.Token);
        await server.Requests.WaitForCount(1);

        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(attempting);

        var back = await Notifier.Delivery(id);
        (back.State, back.Attempt, back.Step, back.LeaseUntil).ShouldBe((DeliveryState.Pending, 1, 0, null));
        (await Notifier.Wakes(id)).ShouldBe([1]);
        (await Notifier.Attempts(id)).ShouldBeEmpty();
        go.Set();
    }

    /// <summary>Another replica's clock is ahead: the attempt is made at its time all the same, and by the only message there is.</summary>
    [SkippableFact]
    public async Task A_wake_up_that_is_a_little_early_waits_for_its_time()
    {
        await using var server = await HookServer.Start();
        notifier = new Notifier(database!, relays: false);
        var id = await Notifier.WaitingOne(await Notifier.AddEndpoint(server.Url));
        var due = (await Notifier.Delivery(id)).NextAttemptAt!.Value;
        var clock = new ManualTimeProvider(new DateTimeOffset(due, TimeSpan.Zero) - TimeSpan.FromMilliseconds(600));

        var attempting = Notifier.InScope(async services =>
        {
            var calling = ActivatorUtilities.CreateInstance<Calling>(services, clock);
            await ActivatorUtilities.CreateInstance<Attempting>(services, calling, clock).Run(new WakeDelivery(id, 1), CancellationToken.None);
            return true;
        });
        await clock.WaitForTimersAsync(1);
        (await Notifier.Delivery(id)).State.ShouldBe(DeliveryState.Pending);
        clock.Advance(TimeSpan.FromMilliseconds(601));
        await attempting;

        (await Notifier.Attempts(id)).ShouldHaveSingleItem().StartedAt.ShouldBeGreaterThanOrEqualTo(due);
    }

    [SkippableFact]
    public async Task What_came_of_a_call_is_written_down_also_while_the_notifier_is_being_stopped()
    {
        var go = new Signal();
        notifier = new Notifier(database!, relays: false);
        var turns = Notifier.App.Services.GetRequiredService<DatabaseTurns>();
        await using var server = await HookServer.Start((_, _) =>
        {
            // The outcome has to wait until the test lets it.
            for (var i = 0; i < DatabaseTurns.OnServer; i++)
            {
                _ = turns.Run(() => go.WaitAsync(), CancellationToken.None);
            }

            return Task.CompletedTask;
        });
        var id = await Notifier.WaitingOne(await Notifier.AddEndpoint(server.Url));
        using var stop = new CancellationTokenSource();
        var lanes = Notifier.App.Services.GetRequiredService<EndpointLanes>();

        var attempting = Attempt(id, stop.Token);
        await Eventually.Get(() => (server.Requests.Count, lanes.InFlight), now => now == (1, 0));
        await stop.CancelAsync();
        go.Set();
        await attempting;

        (await Notifier.Delivery(id)).State.ShouldBe(DeliveryState.Delivered);
    }

    private Task<bool> Attempt(Guid id, CancellationToken cancellationToken = default) => Notifier.InScope(async services =>
    {
        await services.GetRequiredService<Attempting>().Run(new WakeDelivery(id, 1), cancellationToken);
        return true;
    });

    [SkippableFact]
    public async Task A_name_that_leads_into_the_network_is_an_attempt_that_failed()
    {
        await using var server = await HookServer.Start();
        Start(("AllowedNetworks", "10.9.9.0/24"));
        await Notifier.AddEndpoint(new Uri($"http://localhost:{server.Port}/"));

        var id = await Notifier.TellOne();

        var attempt = (await Eventually.Get(() => Notifier.Attempts(id), attempts => attempts.Count > 0))[0];
        (attempt.Outcome, attempt.StatusCode).ShouldBe((AttemptOutcome.Forbidden, null));
        server.Requests.Count.ShouldBe(0);
    }

    private static async Task Answer(HttpContext http, int status, string? body = null)
    {
        http.Response.StatusCode = status;
        if (body is not null)
        {
            await http.Response.WriteAsync(body);
        }
    }
}

public sealed class SqliteDeliveringTests() : DeliveringSuite(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresDeliveringTests() : DeliveringSuite(TestDatabase.PostgresAsync);

public sealed class SqlServerDeliveringTests() : DeliveringSuite(TestDatabase.SqlServerAsync);
