using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Outbox.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using ServiceDefaults;

namespace Services.Tests;

public sealed class DeadConnectionWatchTests : IAsyncLifetime
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);

    private readonly ManualTimeProvider clock = new();
    private readonly Application application = new();
    private BusHealthResult health = BusHealthResult.Healthy("", NoEndpoints);
    private DeadConnectionWatch? watch;

    private static Dictionary<string, EndpointHealthResult> NoEndpoints => new(StringComparer.Ordinal);

    [Fact]
    public async Task A_closed_connection_that_is_offered_on_and_on_ends_the_service()
    {
        health = Faulted(new AlreadyClosedException(new ShutdownEventArgs(ShutdownInitiator.Library, 0, "End of stream")));

        await Pass(DeadConnectionWatch.Patience - Step);
        application.HasEnded.ShouldBeFalse();
        await Pass(2 * Step);

        application.HasEnded.ShouldBeTrue();
        watch!.HasEndedIt.ShouldBeTrue();
    }

    [Fact]
    public async Task A_broker_that_is_away_is_waited_for()
    {
        health = Faulted(new BrokerUnreachableException(new TimeoutException()));

        await Pass(DeadConnectionWatch.Patience * 10);

        application.HasEnded.ShouldBeFalse();
    }

    [Fact]
    public async Task A_connection_that_is_replaced_in_between_is_none()
    {
        for (var times = 0; times < 5; times++)
        {
            health = Faulted(new AlreadyClosedException(new ShutdownEventArgs(ShutdownInitiator.Library, 0, "End of stream")));
            await Pass(DeadConnectionWatch.Patience / 2);
            health = BusHealthResult.Healthy("", NoEndpoints);
            await Pass(Step);
        }

        application.HasEnded.ShouldBeFalse();
    }

    public async Task InitializeAsync()
    {
        watch = new DeadConnectionWatch(() => health, application, clock, NullLogger<DeadConnectionWatch>.Instance);
        await watch.StartAsync(CancellationToken.None);
        await clock.WaitForTimersAsync(1);
    }

    public async Task DisposeAsync()
    {
        await watch!.StopAsync(CancellationToken.None);
        watch.Dispose();
    }

    private static BusHealthResult Faulted(Exception cause) =>
        BusHealthResult.Degraded("", new InvalidOperationException("ReceiveTransport faulted", cause), NoEndpoints);

    private async Task Pass(TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed < time && !application.HasEnded; passed += Step)
        {
            clock.Advance(Step);
            await clock.WaitForTimersAsync(1);
        }
    }

    private sealed class Application : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public bool HasEnded { get; private set; }

        public void StopApplication() => HasEnded = true;
    }
}
