using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox.Receiving;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>Expired rows go in small batches; where the transport forgets, only after what was kept has been sent again.</summary>
public abstract class InboxCleanUpTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    private readonly ManualTimeProvider _time = new();

    [SkippableFact]
    public async Task Expired_rows_go_and_the_others_stay()
    {
        await using var host = await StartAt();
        await Insert(host, 2, _time.GetUtcNow().UtcDateTime);
        await Insert(host, 3, _time.GetUtcNow().UtcDateTime + TimeSpan.FromSeconds(1));

        (await CleanUp(host)).ShouldBe(2);
        (await host.Inbox()).Count.ShouldBe(3);
    }

    [SkippableFact]
    public async Task More_than_a_batch_goes_batch_by_batch()
    {
        var watched = new Watched();
        await using var host = await StartAt(new InboxSetUp { Database = o => o.AddInterceptors(watched) });
        await Insert(host, InboxCleanUp<LedgerDb>.BatchSize + 1, _time.GetUtcNow().UtcDateTime);
        var before = watched.Sent.Count;

        (await CleanUp(host)).ShouldBe(InboxCleanUp<LedgerDb>.BatchSize + 1);
        watched.Sent.Values.Skip(before).Count(s => s.StartsWith("DELETE", StringComparison.Ordinal)).ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_message_is_remembered_for_the_window_and_no_longer()
    {
        await using var host = await StartAt(new InboxSetUp { Outbox = o => o.DuplicateDetectionWindow = TimeSpan.FromHours(1) });
        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        _time.AdvanceUtcOnly(TimeSpan.FromMinutes(59));
        (await CleanUp(host)).ShouldBe(0);
        _time.AdvanceUtcOnly(TimeSpan.FromMinutes(2));
        (await CleanUp(host)).ShouldBe(1);
    }

    [SkippableFact]
    public async Task It_runs_by_itself_about_once_a_minute_unless_it_is_left_to_other_processes()
    {
        await using var host = await StartAt(new InboxSetUp { Outbox = o => o.Options.InboxCleanupServiceEnabled = true });
        await using var leaving = await StartAt(new InboxSetUp { Outbox = o => o.DisableInboxCleanupService() });
        leaving.Services.GetServices<IHostedService>().ShouldNotContain(s => s is InboxCleanUp<LedgerDb>);
        await Insert(host, 1, _time.GetUtcNow().UtcDateTime);

        await Eventually.Is(async () =>
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            return (await host.Inbox()).Count == 0;
        });
    }

    [SkippableFact]
    public async Task It_waits_for_the_start_up_redelivery_and_a_window_of_running()
    {
        var window = TimeSpan.FromHours(2);
        await using var host = await StartAt(new InboxSetUp
        {
            Outbox = o =>
            {
                o.Options.DeliveryServiceEnabled = true;
                o.KeepDelivered = TimeSpan.FromHours(1);
                o.RedeliverOnStart = true;
                o.DuplicateDetectionWindow = window;
            },
            Services = services =>
            {
                // The relay stays away: the test says when it has redelivered.
                foreach (var relay in services.Where(s => s.ImplementationType?.Name.StartsWith("RelayService", StringComparison.Ordinal) == true).ToList())
                    services.Remove(relay);
            },
        });
        var redelivery = host.Services.GetRequiredService<OutboxRegistration<LedgerDb>>().StartUpRedelivery;

        // The process was down for longer than the window: the row has expired by the clock.
        await Insert(host, 1, _time.GetUtcNow().UtcDateTime - TimeSpan.FromDays(3));
        _time.AdvanceMonotonicOnly(window);
        (await CleanUp(host)).ShouldBe(0, "what was kept has not been sent again yet");

        redelivery.SetResult();
        (await CleanUp(host)).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_redelivered_message_may_take_a_window_of_running_to_arrive()
    {
        var window = TimeSpan.FromHours(2);
        await using var host = await StartAt(new InboxSetUp
        {
            // Nothing is relayed here, so that nothing has to be waited for but the window.
            Outbox = o =>
            {
                o.KeepDelivered = TimeSpan.FromHours(1);
                o.RedeliverOnStart = true;
                o.DuplicateDetectionWindow = window;
            },
        });
        await Insert(host, 1, _time.GetUtcNow().UtcDateTime - TimeSpan.FromDays(3));

        _time.AdvanceMonotonicOnly(window - TimeSpan.FromSeconds(1));
        (await CleanUp(host)).ShouldBe(0);
        _time.AdvanceMonotonicOnly(TimeSpan.FromSeconds(1));
        (await CleanUp(host)).ShouldBe(1);
    }

    private async Task<InboxHost> StartAt(InboxSetUp? setUp = null)
    {
        setUp ??= new InboxSetUp();
        var host = await Start(setUp: setUp with
        {
            Services = services =>
            {
                services.AddSingleton<TimeProvider>(_time);
                setUp.Services(services);
            },
        });

        // It counts from here, as it does when the host runs it.
        host.Services.GetRequiredService<InboxCleanUp<LedgerDb>>();
        return host;
    }

    private static Task<int> CleanUp(InboxHost host) => host.Services.GetRequiredService<InboxCleanUp<LedgerDb>>().RunOnce(CancellationToken.None);

    private static Task<int> Insert(InboxHost host, int count, DateTime expires) => host.Read(db =>
    {
        db.Inbox.AddRange(Enumerable.Range(0, count).Select(_ => new InboxMessage
        {
            MessageId = NewId.NextGuid(), ConsumerId = NewId.NextGuid(), ConsumedAt = expires, ExpiresAt = expires,
        }));
        return db.SaveChangesAsync();
    });
}

public sealed class SqliteInboxCleanUpTests() : InboxCleanUpTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxCleanUpTests() : InboxCleanUpTests(TestDatabase.PostgresAsync);
