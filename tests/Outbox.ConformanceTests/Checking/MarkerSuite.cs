using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Outbox.Checking;
using Outbox.ConformanceTests.Preparing;
using Outbox.Databases;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>Local work in another database, and the marker that tells what became of it.</summary>
public abstract class MarkerSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Work_that_was_done_is_committed_though_its_producer_died()
    {
        await using var set = await Start();
        var prepared = await set.Host.Prepare(1);
        await set.Work(prepared, db => db.SaveChangesAsync());

        await set.Host.CheckNext();

        (await set.Host.Row()).State.ShouldBe(OutboxMessageState.Pending);
        (await set.Pallets()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task Work_that_comes_after_the_check_loses_on_the_key_and_saves_nothing()
    {
        await using var set = await Start();
        var prepared = await set.Host.Prepare(1);

        await set.Host.CheckNext();
        (await set.Host.Row()).State.ShouldBe(OutboxMessageState.RolledBack);

        await Should.ThrowAsync<DbUpdateException>(() => set.Work(prepared, db => db.SaveChangesAsync()));
        (await set.Pallets()).ShouldBe(0);
        await using var scope = set.Host.Shop.Services.CreateAsyncScope();
        var half = await scope.ServiceProvider.Half(prepared.MessageId);
        await Should.ThrowAsync<HalfMessageDecidedException>(() => half.CommitAsync());
    }

    [SkippableFact]
    public async Task Work_that_comes_after_an_operators_roll_back_loses_on_the_key_and_saves_nothing()
    {
        await using var set = await Start();
        var prepared = await set.Host.Prepare(1);

        await set.Operator(halves => halves.Rollback(prepared.SequenceNumber, "ada"));

        (await set.Host.Row()).State.ShouldBe(OutboxMessageState.RolledBack);
        await Should.ThrowAsync<DbUpdateException>(() => set.Work(prepared, db => db.SaveChangesAsync()));
        (await set.Pallets()).ShouldBe(0);
    }

    [SkippableFact]
    public async Task A_message_whose_body_cannot_be_read_is_answered_for_all_the_same()
    {
        await using var set = await Start();
        var (checkedBack, operated) = (await set.Host.Prepare(1), await set.Host.Prepare(2));
        await set.Host.Shop.Query(db => db.OutboxMessages.ExecuteUpdateAsync(s => s.SetProperty(m => m.Body, "?"u8.ToArray())));

        await set.Operator(halves => halves.Rollback(operated.SequenceNumber, "ada"));
        await set.Host.CheckNext();

        (await set.Host.Shop.Rows()).ShouldAllBe(r => r.State == OutboxMessageState.RolledBack);
        foreach (var late in new[] { checkedBack, operated })
            await Should.ThrowAsync<DbUpdateException>(() => set.Work(late, db => db.SaveChangesAsync()));
    }

    [SkippableFact]
    public async Task Work_that_was_done_cannot_be_rolled_back_by_an_operator()
    {
        await using var set = await Start();
        var prepared = await set.Host.Prepare(1);
        await set.Work(prepared, db => db.SaveChangesAsync());

        var refused = await Should.ThrowAsync<InvalidOperationException>(
            () => set.Operator(halves => halves.Rollback(prepared.SequenceNumber, "ada")));

        refused.Message.ShouldContain(prepared.MessageId.ToString());
        (await set.Host.Row()).State.ShouldBe(OutboxMessageState.Prepared);
        await set.Operator(halves => halves.Commit(prepared.SequenceNumber, "ada"));
        (await set.Host.Row()).State.ShouldBe(OutboxMessageState.Pending);
    }

    [SkippableTheory]
    [InlineData(true, OutboxMessageState.Pending)]
    [InlineData(false, OutboxMessageState.RolledBack)]
    public async Task A_transaction_of_the_work_that_is_open_makes_the_check_wait_for_its_end(bool commits, OutboxMessageState state)
    {
        await using var set = await Start();
        var prepared = await set.Host.Prepare(1);

        await set.Work(prepared, async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await db.SaveChangesAsync();
            var checking = set.Host.CheckNext();
            await set.Fencing.WaitAsync();
            checking.IsCompleted.ShouldBeFalse();
            (await set.Host.Row()).State.ShouldBe(OutboxMessageState.Prepared);

            if (commits)
                await transaction.CommitAsync();
            else
                await transaction.RollbackAsync();
            await checking;
        });

        (await set.Host.Row()).State.ShouldBe(state);
        (await set.Pallets()).ShouldBe(commits ? 1 : 0);
    }

    [SkippableFact]
    public async Task Waiting_for_too_long_is_no_answer_and_the_late_commit_stands()
    {
        await using var set = await Start();
        var prepared = await set.Host.Prepare(1);

        await set.Work(prepared, async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await db.SaveChangesAsync();
            set.Host.Time.Advance(TimeSpan.FromSeconds(7));
            await set.Host.Look();
            await set.Fencing.WaitAsync();
            set.Host.Time.Advance(TimeSpan.FromSeconds(11));
            await Eventually.Is(async () => await set.Host.Row() is { State: OutboxMessageState.Prepared, Attempts: 0, Returns: 1 });
            await transaction.CommitAsync();
        });
        await set.Host.Check();
        await set.Host.CheckNext();

        (await set.Host.Row()).State.ShouldBe(OutboxMessageState.Pending);
    }

    [SkippableFact]
    public async Task Absence_counts_for_nothing_once_markers_may_have_been_deleted()
    {
        await using var set = await Start();
        await set.Host.Prepare(1);
        set.Host.Time.Advance(TimeSpan.FromDays(7));

        await set.Host.Check();

        (await set.Host.Row()).ShouldSatisfyAllConditions(r => r.State.ShouldBe(OutboxMessageState.Prepared), r => r.Attempts.ShouldBe(1));
        (await set.Markers()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_marker_goes_with_the_decision_and_never_before_it()
    {
        await using var set = await Start();
        var decided = await set.Host.Prepare(1);
        await set.Work(decided, db => db.SaveChangesAsync());
        await set.Host.CheckNext();
        await set.Host.Shop.Query(db => db.OutboxMessages.ExecuteUpdateAsync(
            s => s.SetProperty(m => m.State, OutboxMessageState.Committed).SetProperty(m => m.ClosedAt, set.Host.Time.GetUtcNow().UtcDateTime)));
        var open = await set.Host.Prepare(2);
        await set.Work(open, db => db.SaveChangesAsync());
        var cleanUp = new DecisionCleanUp(
            set.Host.Registration, set.Host.Shop.Services.GetRequiredService<OutboxStore<ShopDb>>(), set.Host.Time, NullLogger.Instance);

        await cleanUp.RunOnce(default);
        (await set.Markers()).Count.ShouldBe(2);
        set.Host.Time.Advance(TimeSpan.FromDays(7));
        await cleanUp.RunOnce(default);

        (await set.Markers()).ShouldHaveSingleItem().MessageId.ShouldBe(open.MessageId);
        (await set.Host.Row()).MessageId.ShouldBe(open.MessageId);
    }

    private async Task<SetUp> Start()
    {
        var (database, other) = (await NewDatabase(), await NewDatabase());
        var fencing = new Signal();
        var host = await CheckHost.StartAsync(
            database,
            o => o.AddCheckBack<OrderPlaced, MarkerCheckBack<DepotWorkDb>>(),
            services: services => services.AddDbContext<DepotWorkDb>(options =>
            {
                other.Configure(options);
                options.AddInterceptors(new SeenFence(fencing));
            }));
        var set = new SetUp(host, fencing, database, other);
        await set.InOther(db => db.Database.EnsureCreatedAsync());
        return set;
    }

    private sealed record SetUp(CheckHost Host, Signal Fencing, TestDatabase Database, TestDatabase Other) : IAsyncDisposable
    {
        public Task Work(OutboxMessage prepared, Func<DepotWorkDb, Task> save) => InOther(async db =>
        {
            await using var scope = Host.Shop.Services.CreateAsyncScope();
            db.Add(new Pallet());
            db.MarkDone(await scope.ServiceProvider.Half(prepared.MessageId));
            await save(db);
        });

        public async Task Operator(Func<IHalfMessages<ShopDb>, Task> decide)
        {
            await using var scope = Host.Shop.Services.CreateAsyncScope();
            await decide(scope.ServiceProvider.GetRequiredService<IHalfMessages<ShopDb>>());
        }

        public async Task<int> Pallets()
        {
            var count = 0;
            await InOther(async db => count = await db.Set<Pallet>().CountAsync());
            return count;
        }

        public async Task<List<HalfMessageMarker>> Markers()
        {
            List<HalfMessageMarker> markers = [];
            await InOther(async db => markers = await db.Set<HalfMessageMarker>().ToListAsync());
            return markers;
        }

        public async Task InOther(Func<DepotWorkDb, Task> work)
        {
            await using var scope = Host.Shop.Services.CreateAsyncScope();
            await work(scope.ServiceProvider.GetRequiredService<DepotWorkDb>());
        }

        public async ValueTask DisposeAsync()
        {
            await Host.DisposeAsync();
            await Database.DisposeAsync();
            await Other.DisposeAsync();
        }
    }

    /// <summary>Tells when a check is about to close the door.</summary>
    private sealed class SeenFence(Signal fencing) : DbCommandInterceptor
    {
        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (command.CommandText.Contains("INSERT INTO", StringComparison.Ordinal)
                && (command.CommandText.Contains("ON CONFLICT", StringComparison.Ordinal) || command.CommandText.Contains("BEGIN CATCH", StringComparison.Ordinal)))
                fencing.Set();
            return ValueTask.FromResult(result);
        }
    }
}

/// <summary>The other database: the work's rows, and the markers.</summary>
public sealed class DepotWorkDb(DbContextOptions<DepotWorkDb> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Pallet>();
        modelBuilder.AddHalfMessageMarkerEntity();
    }
}

public sealed class Pallet
{
    public int Id { get; set; }
}

public sealed class SqliteMarkerTests : MarkerSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresMarkerTests : MarkerSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerMarkerTests : MarkerSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
