using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Notifications;
using Notifications.Delivering;
using Notifications.Sending;
using Outbox.Testing;
using Polly.CircuitBreaker;

namespace Services.Tests;

/// <summary>An endpoint that is down is left alone for a while, and what it was to be told goes on in its schedule.</summary>
public sealed class CircuitTests : IAsyncLifetime
{
    private static readonly Exchange Down =
        new(default, default, new WebhookAnswer(null, 500), new Verdict(AttemptOutcome.Refused, DeliveryState.Pending) { IsDown = true });

    private static readonly Exchange Unsendable = Down with { Verdict = new Verdict(AttemptOutcome.Forbidden, DeliveryState.Pending), WasCalled = false };

    private readonly TestDatabase database = TestDatabase.Sqlite();
    private readonly ManualTimeProvider lanesClock = new(TimeProvider.System.GetUtcNow());
    private HookServer? server;
    private Notifier? notifier;

    private HookServer Server => server!;

    private Notifier Notifier => notifier!;

    [Fact]
    public async Task What_is_told_meanwhile_waits_until_a_trial_succeeds()
    {
        var id = await ParkedWhileDown();
        Server.Requests.Count.ShouldBe(0);

        lanesClock.Advance(TimeSpan.FromSeconds(6));

        await Notifier.Becomes(id, DeliveryState.Delivered);
        (await Notifier.Attempts(id)).ShouldHaveSingleItem().Number.ShouldBe(1);
    }

    [Fact]
    public async Task An_attempt_that_waited_until_the_next_would_be_due_counts_as_failed()
    {
        var id = await ParkedWhileDown();

        var longAgo = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1);
        await Notifier.App.InDb(db => db.Deliveries.ExecuteUpdateAsync(set => set
            .SetProperty(d => d.UpdatedAt, longAgo).SetProperty(d => d.NextAttemptAt, longAgo)));
        await Notifier.InScope(async services =>
        {
            await services.GetRequiredService<Attempting>().Run(new WakeDelivery(id, 1), CancellationToken.None);
            return true;
        });

        var attempt = (await Eventually.Get(() => Notifier.Attempts(id), attempts => attempts.Count > 0))[0];   // the sweeper may have been faster
        (attempt.Number, attempt.Outcome, attempt.StatusCode).ShouldBe((1, AttemptOutcome.Unreachable, null));
        attempt.Error.ShouldNotBeNull().ShouldContain("not called");
        attempt.NextAttemptAt.ShouldNotBeNull();
        Server.Requests.Count.ShouldBe(0);

        lanesClock.Advance(TimeSpan.FromSeconds(6));
        (await Notifier.Becomes(id, DeliveryState.Delivered)).Attempt.ShouldBe(2);
    }

    /// <summary>Another replica was faster, there was nothing to send, this one is being stopped: none of it says that the endpoint is up.</summary>
    [Theory]
    [InlineData("taken")]
    [InlineData("unsendable")]
    [InlineData("stopped")]
    public async Task A_trial_that_did_not_call_proves_nothing(string what)
    {
        using var lane = new EndpointLane(cap: 8, lanesClock);
        for (var i = 0; i < 10; i++)
        {
            await lane.Try(_ => Task.FromResult<Exchange?>(Down), CancellationToken.None);
        }

        lanesClock.Advance(TimeSpan.FromSeconds(6));
        var trial = lane.Try(
            _ => what switch
            {
                "taken" => Task.FromResult<Exchange?>(null),
                "unsendable" => Task.FromResult<Exchange?>(Unsendable),
                _ => throw new OperationCanceledException(),
            },
            CancellationToken.None);
        if (what == "stopped")
        {
            await Should.ThrowAsync<OperationCanceledException>(trial);
        }
        else
        {
            await trial;
        }

        await Should.ThrowAsync<BrokenCircuitException>(() => lane.Try(_ => Task.FromResult<Exchange?>(Down), CancellationToken.None));
    }

    [Fact]
    public async Task Where_nobody_was_called_the_endpoint_does_not_seem_down()
    {
        using var lane = new EndpointLane(cap: 8, lanesClock);
        for (var i = 0; i < 20; i++)
        {
            await NoCall(lane, i);
        }

        lane.IsDown.ShouldBeFalse();
    }

    /// <summary>A busy endpoint that dies: many find no place for their call, few are made, and all of these fail.</summary>
    [Fact]
    public async Task Attempts_without_a_call_do_not_hide_that_the_calls_fail()
    {
        using var lane = new EndpointLane(cap: 8, lanesClock);
        for (var i = 0; i < 240; i++)
        {
            await NoCall(lane, i);
            if (i % 24 == 23)
            {
                lane.IsDown.ShouldBeFalse();
                await lane.Try(_ => Task.FromResult<Exchange?>(Down), CancellationToken.None);
            }
        }

        lane.IsDown.ShouldBeTrue();
    }

    public async Task InitializeAsync()
    {
        server = await HookServer.Start();
        notifier = new Notifier(database, configure: services => services.Replace(
            ServiceDescriptor.Singleton(provider => new EndpointLanes(provider.GetRequiredService<DeliverySettings>(), lanesClock))));
    }

    public async Task DisposeAsync()
    {
        await Notifier.DisposeAsync();
        await Server.DisposeAsync();
        await database.DisposeAsync();
    }

    /// <summary>No place for the call, nothing to send, or this replica is being stopped.</summary>
    private static Task NoCall(EndpointLane lane, int i) => (i % 3) switch
    {
        0 => lane.Try(_ => Task.FromResult<Exchange?>(null), CancellationToken.None),
        1 => lane.Try(_ => Task.FromResult<Exchange?>(Unsendable), CancellationToken.None),
        _ => Should.ThrowAsync<OperationCanceledException>(() => lane.Try(_ => throw new OperationCanceledException(), CancellationToken.None)),
    };

    /// <summary>An endpoint that seems to be down is to be told of something.</summary>
    private async Task<Guid> ParkedWhileDown()
    {
        var lane = Notifier.App.Services.GetRequiredService<EndpointLanes>().Of(await Notifier.AddEndpoint(Server.Url));
        for (var i = 0; i < 10; i++)
        {
            await lane.Try(_ => Task.FromResult<Exchange?>(Down), CancellationToken.None);
        }

        var id = await Notifier.TellOne();
        await Eventually.Get(() => Notifier.Delivery(id), delivery => delivery.NextAttemptAt != delivery.CreatedAt);
        return id;
    }
}
