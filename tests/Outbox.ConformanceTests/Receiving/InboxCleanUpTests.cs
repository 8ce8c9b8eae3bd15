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
        watched.Sent.Values.Skip(before).Count(s => s.Contains("DELETE ", StringComparison.Ordinal)).ShouldBe(2);
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
    public async Task It_waits_for_the_start_up_redelivery()
    {
        await using var host = await StartAt(new InboxSetUp
        {
            Outbox = o =>
            {
                o.Options.DeliveryServiceEnabled = true;
                Keeping(o);
            },
            Services = services =>
            {
                // The relay stays away: the test says when it has redelivered.
                foreach (var relay in services.Where(s => s.ImplementationType?.Name.StartsWith("RelayService", StringComparison.Ordinal) == true).ToList())
                    services.Remove(relay);
            },
        });
        await Insert(host, 1, _time.GetUtcNow().UtcDateTime - TimeSpan.FromDays(3));
        (await CleanUp(host)).ShouldBe(0, "what was kept has not been sent again yet");

        host.Services.GetRequiredService<OutboxRegistration<LedgerDb>>().StartUpRedelivery.SetResult();
        (await CleanUp(host)).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_row_outlives_the_kept_message_however_long_the_process_was_down()
    {
        await using var host = await StartAt(new InboxSetUp { Outbox = Keeping });
        var now = _time.GetUtcNow().UtcDateTime;
        var (captured, window) = (now - TimeSpan.FromDays(3), TimeSpan.FromHours(2));
        await host.Read(db =>
        {
            db.Outgoing.Add(new OutboxMessage { MessageId = NewId.NextGuid(), State = OutboxMessageState.Sent, CreatedAt = captured, Body = [1], Size = 1 });
            return db.SaveChangesAsync();
        });
        await Insert(host, 1, captured - TimeSpan.FromSeconds(1) + window);
        await Insert(host, 1, captured + TimeSpan.FromSeconds(1) + window);

        (await CleanUp(host)).ShouldBe(1, "only the one that was consumed before the oldest kept message was captured");

        await host.Read(db => db.Outgoing.ExecuteDeleteAsync());
        (await CleanUp(host)).ShouldBe(1);
    }

    private static void Keeping(IEntityFrameworkOutboxConfigurator outbox)
    {
        outbox.Options.KeepDelivered = TimeSpan.FromHours(1);
        outbox.Options.RedeliverOnStart = true;
        outbox.DuplicateDetectionWindow = TimeSpan.FromHours(2);
    }

    private async Task<InboxHost> StartAt(InboxSetUp? setUp = null)
    {
        setUp ??= new InboxSetUp();
        return await Start(setUp: setUp with
        {
            Services = services =>
            {
                services.AddSingleton<TimeProvider>(_time);
                setUp.Services(services);
            },
        });
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

public sealed class SqlServerInboxCleanUpTests() : InboxCleanUpTests(TestDatabase.SqlServerAsync);
