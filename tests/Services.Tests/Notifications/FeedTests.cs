using System.Net;
using System.Net.Http.Headers;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>A receiver that polls from its cursor misses nothing, whatever commits when.</summary>
public abstract class FeedTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? database;
    private ServiceApp<NotificationsDb>? app;
    private HttpClient? client;

    protected ServiceApp<NotificationsDb> App => app!;

    protected HttpClient Client => client!;

    protected TestDatabase Database => database!;

    [SkippableFact]
    public async Task What_is_committed_late_is_read_late_and_not_skipped()
    {
        await using var late = new Writing(App);
        await late.Begin("late");   // its rows are older than all that follow

        // SQLite has one writer at a time, and on SQL Server without row versions who reads waits for who writes: there, nothing of
        // what follows can be read before.
        if (Database.Name == "Postgres")
        {
            await Write("early");
            (await Keys("")).ShouldBe(["early"]);
        }

        var (_, cursor) = await ReadOn("");
        await late.Commit();
        await App.Numbered();

        (await Keys(cursor)).ShouldBe(["late"]);
    }

    [SkippableFact]
    public async Task Who_polls_while_many_write_reads_each_once()
    {
        var written = Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
        {
            for (var i = 0; i < 10; i++)
            {
                await Write($"{writer}-{i}");
            }
        }));
        List<string> read = [];
        for (var cursor = ""; read.Count < 80 || !written.IsCompleted;)
        {
            (var keys, cursor) = await ReadOn(cursor, wait: 1);
            read.AddRange(keys);
            (read.Count <= 80).ShouldBeTrue(string.Join(' ', read));
        }

        await written;
        read.Order(StringComparer.Ordinal).ShouldBe(
            Enumerable.Range(0, 8).SelectMany(writer => Enumerable.Range(0, 10).Select(i => $"{writer}-{i}")).Order(StringComparer.Ordinal));
    }

    [SkippableFact]
    public async Task Several_sequencers_give_every_row_a_number_of_its_own()
    {
        await App.InDb(async db =>
        {
            var receiverId = await db.Receivers.Select(r => r.Id).SingleAsync();
            for (var i = 0; i < 300; i++)
            {
                db.Notifications.Add(Writing.Row($"key{i}", receiverId));
            }

            return await db.SaveChangesAsync();
        });

        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            await using var scope = App.Services.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<FeedSequencer>().RunOnce(CancellationToken.None);
        }));

        var positions = await App.InDb(db => db.Notifications.Select(n => n.Position!.Value).ToListAsync());
        positions.Order().ShouldBe(Enumerable.Range(1, 300).Select(n => (long)n));
        (await App.InDb(db => db.FeedCounters.SingleAsync())).Last.ShouldBe(300);
    }

    [SkippableFact]
    public async Task Who_waits_is_answered_when_there_is_something()
    {
        var (_, cursor) = await ReadOn("");
        var waiting = ReadOn(cursor, wait: 20);
        await Write("news");

        var (keys, next) = await waiting;

        keys.ShouldBe(["news"]);
        next.ShouldNotBe(cursor, StringComparer.Ordinal);
    }

    [SkippableFact]
    public async Task An_empty_answer_too_says_where_to_go_on()
    {
        var (keys, cursor) = await ReadOn("", wait: 1);
        keys.ShouldBeEmpty();
        await Write("first");

        (await Keys(cursor)).ShouldBe(["first"]);
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<NotificationsDb>(database);
        client = app.CreateClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Services.Tests.Keys.Receiver);
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    protected async Task Write(string key)
    {
        await using var writing = new Writing(App);
        await writing.Begin(key);
        await writing.Commit();
    }

    private async Task<List<string>> Keys(string cursor)
    {
        await App.Numbered();
        return (await ReadOn(cursor)).Keys;
    }

    private async Task<(List<string> Keys, string Next)> ReadOn(string cursor, int wait = 0)
    {
        var page = await Client.GetJson($"/v1/notifications?after={cursor}&wait={wait}");
        return (
            [.. page["items"]!.AsArray().Select(item => item!["businessKey"]!.GetValue<string>())],
            page["next"]!.GetValue<string>());
    }

    /// <summary>A transaction that stores a notification for the receiver <c>default</c> and stays open until told.</summary>
    private sealed class Writing(ServiceApp<NotificationsDb> app) : IAsyncDisposable
    {
        private readonly AsyncServiceScope scope = app.Services.CreateAsyncScope();

        private NotificationsDb Db => scope.ServiceProvider.GetRequiredService<NotificationsDb>();

        public static Notifications.Notification Row(string key, Guid receiverId) => new()
        {
            Id = NewId.NextGuid(),
            ReceiverId = receiverId,
            Event = new BusinessEvent { Id = NewId.NextGuid(), Type = "points.credited", BusinessKey = key },
        };

        public async Task Begin(string key)
        {
            await Db.Database.BeginTransactionAsync();
            Db.Notifications.Add(Row(key, await Db.Receivers.Select(r => r.Id).SingleAsync()));
            await Db.SaveChangesAsync();
        }

        public Task Commit() => Db.Database.CommitTransactionAsync();

        public ValueTask DisposeAsync() => scope.DisposeAsync();
    }
}

public sealed class FeedOnSqliteTests() : FeedTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class FeedOnPostgresTests() : FeedTests(TestDatabase.PostgresAsync)
{
    /// <summary>The database itself refuses text with a NUL.</summary>
    [SkippableFact]
    public async Task What_no_text_of_the_database_holds_is_not_asked_of_it() =>
        await (await Client.GetAsync("/v1/notifications?type=points%00credited")).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

    /// <summary>What it numbers is what the one before it left, and after that one's numbers: nothing is numbered twice.</summary>
    [SkippableFact]
    public async Task A_sequencer_waits_for_the_one_before_it()
    {
        await using var scope = App.Services.CreateAsyncScope();
        var before = scope.ServiceProvider.GetRequiredService<NotificationsDb>();
        await using var transaction = await before.Database.BeginTransactionAsync();
        await before.FeedCounters.ExecuteUpdateAsync(set => set.SetProperty(c => c.Last, c => c.Last + 1));
        await Write("first");   // by its time, but the one before did not see it
        await Write("second");
        await App.InDb(db => db.Notifications.Where(n => n.Event.BusinessKey == "second").ExecuteUpdateAsync(set => set.SetProperty(n => n.CreatedAt, DateTime.UnixEpoch)));
        await before.Notifications.Where(n => n.Event.BusinessKey == "second").ExecuteUpdateAsync(set => set.SetProperty(n => n.Position, 1));

        await using var other = App.Services.CreateAsyncScope();
        var sequencing = other.ServiceProvider.GetRequiredService<FeedSequencer>().RunOnce(CancellationToken.None);
        await Eventually.Is(() => App.InDb(db => db.Database.SqlQuery<bool>(
            $"""
            SELECT EXISTS (SELECT FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND (query LIKE '%"FeedCounter"%' OR query LIKE '%"Notification"%')) AS "Value"
            """).SingleAsync()));
        await transaction.CommitAsync();
        await sequencing;
        await App.Numbered();

        (await App.InDb(db => db.Notifications.OrderBy(n => n.Event.BusinessKey).Select(n => n.Position).ToListAsync())).ShouldBe([2, 1]);
    }

    /// <summary>What one replica has stored and numbered is no signal to another: it looks for itself.</summary>
    [SkippableFact]
    public async Task Who_waits_at_one_replica_is_told_what_another_has_stored()
    {
        await using var other = new ServiceApp<NotificationsDb>(
            Database, services => services.Remove(services.Single(s => s.ImplementationType?.Name == "FeedSequencerService")));
        using var there = other.CreateClient().As(Services.Tests.Keys.Receiver);
        var cursor = (await there.GetJson("/v1/notifications"))["next"]!.GetValue<string>();

        var waiting = there.GetJson($"/v1/notifications?after={cursor}&wait=20");
        await Write("news");

        // Well before its patience is over, when it would look a last time.
        var page = await waiting.WaitAsync(TimeSpan.FromSeconds(15), TimeProvider.System);
        page["items"]!.AsArray().ShouldHaveSingleItem()!["businessKey"]!.GetValue<string>().ShouldBe("news");
    }
}

public sealed class FeedOnSqlServerTests() : FeedTests(TestDatabase.SqlServerAsync);
