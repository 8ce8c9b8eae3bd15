using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Notifications;
using Notifications.Delivering;
using Notifications.Sending;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>An endpoint that is down is left alone for a while, and what it was to be told goes on in its schedule.</summary>
public sealed class CircuitTests : IAsyncLifetime
{
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

        var attempt = (await Notifier.Attempts(id))[0];
        (attempt.Number, attempt.Outcome, attempt.StatusCode).ShouldBe((1, AttemptOutcome.Unreachable, null));
        attempt.Error.ShouldNotBeNull().ShouldContain("not called");
        attempt.NextAttemptAt.ShouldNotBeNull();
        Server.Requests.Count.ShouldBe(0);

        lanesClock.Advance(TimeSpan.FromSeconds(6));
        (await Notifier.Becomes(id, DeliveryState.Delivered)).Attempt.ShouldBe(2);
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

    /// <summary>An endpoint that seems to be down is to be told of something.</summary>
    private async Task<Guid> ParkedWhileDown()
    {
        var circuit = Notifier.App.Services.GetRequiredService<EndpointLanes>().Of(await Notifier.AddEndpoint(Server.Url)).Circuit;
        var down = new Exchange(default, default, new WebhookAnswer(null, 500), new Verdict(AttemptOutcome.Refused, DeliveryState.Pending) { IsDown = true });
        for (var i = 0; i < 10; i++)
        {
            await circuit.ExecuteAsync(_ => ValueTask.FromResult<Exchange?>(down));
        }

        var id = await Notifier.TellOne();
        await Eventually.Get(() => Notifier.Delivery(id), delivery => delivery.NextAttemptAt != delivery.CreatedAt);
        return id;
    }
}
