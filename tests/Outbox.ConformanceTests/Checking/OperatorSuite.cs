using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Outbox.Checking;
using Outbox.Databases;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>What an operator sees of half messages and does with them, and what is forgotten of them when.</summary>
public abstract class OperatorSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task The_operator_sees_what_is_not_decided_page_by_page()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(c => c.CheckBackLimit = 1));
        var (first, second) = (await host.Prepare(1), await host.Prepare(2));
        await host.CheckNext();
        var third = await host.Prepare(3);

        (await host.Operator.List()).Select(m => m.SequenceNumber).ShouldBe([first.SequenceNumber, second.SequenceNumber]);
        (await host.Operator.List(after: first.SequenceNumber, limit: 1)).ShouldHaveSingleItem().SequenceNumber.ShouldBe(second.SequenceNumber);
        var all = await host.Operator.List(undecidedOnly: false);
        all.Count.ShouldBe(3);
        all[2].ShouldSatisfyAllConditions(m => m.MessageId.ShouldBe(third.MessageId), m => m.NextCheckAt.ShouldBe(third.DueAt), m => m.IsUndecided.ShouldBeFalse());
        (await host.Operator.Show(12345)).ShouldBeNull();
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => host.Operator.List(limit: 0));

        var statistics = await host.Shop.Services.GetRequiredService<IOutboxStatistics<ShopDb>>().Get();
        (statistics.Ready, statistics.Waiting, statistics.Prepared, statistics.Undecided).ShouldBe((0, 0, 1, 2));
        statistics.OldestPreparedAt.ShouldBe(first.CreatedAt);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_operator_decides_the_business_rows_follow_and_the_history_names_who(bool commit)
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var prepared = await host.Prepare(1);

        await Decide(commit, "ada");
        await Decide(commit, "bob");                        // the same again: nothing
        await Should.ThrowAsync<HalfMessageDecidedException>(() => Decide(!commit, "eve"));

        (await host.Row()).State.ShouldBe(commit ? OutboxMessageState.Pending : OutboxMessageState.RolledBack);
        (await host.Shop.Query(db => db.Orders.SingleAsync())).Number.ShouldBe(commit ? 1 : -1);
        var history = (await host.Operator.Show(prepared.SequenceNumber))!.History;
        history.Count.ShouldBe(2);
        (history[1].By, history[1].Detail).ShouldBe(("ada", "operator"));
        await Should.ThrowAsync<KeyNotFoundException>(() => host.Operator.Commit(12345, "ada"));
        await Should.ThrowAsync<ArgumentException>(() => host.Operator.Commit(prepared.SequenceNumber, " "));

        Task Decide(bool committed, string by)
            => committed ? host.Operator.Commit(prepared.SequenceNumber, by) : host.Operator.Rollback(prepared.SequenceNumber, by);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_decision_whose_check_back_cannot_be_told_is_refused_until_the_operator_does_without_it(bool unreadable)
    {
        await using var database = await NewDatabase();
        await using var newer = await CheckHost.StartAsync(database);
        await using var older = await CheckHost.StartAsync(database, o => o.AddCheckBack<PackOrder, PackingCheckBack>());
        var prepared = await newer.Prepare(1);
        var host = unreadable ? newer : older;
        if (unreadable)
            await host.Shop.Query(db => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.Body, "?"u8.ToArray())));

        await Should.ThrowAsync<Exception>(() => host.Operator.Rollback(prepared.SequenceNumber, "ada"));
        (await host.Row()).State.ShouldBe(OutboxMessageState.Prepared);

        await host.Operator.Rollback(prepared.SequenceNumber, "ada", tellCheckBack: false);
        (await host.Row()).State.ShouldBe(OutboxMessageState.RolledBack);
        (await host.Shop.Orders()).ShouldBe(0);
        (await host.Operator.Show(prepared.SequenceNumber))!.History[^1].Detail!.ShouldContain("not told");
    }

    [SkippableFact]
    public async Task An_operator_who_decides_what_a_check_decides_at_the_same_time_changes_the_business_rows_no_second_time()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>());
        var prepared = await host.Prepare(1);
        host.Answers.To = async (_, db, _) =>
        {
            await host.Operator.Commit(prepared.SequenceNumber, "ada", cancellationToken: CancellationToken.None);
            db.Add(new Order { Number = 2 });
            return CheckBackAnswer.Committed;
        };

        await host.CheckNext();
        await host.Operator.Commit(prepared.SequenceNumber, "bob");

        (await host.Shop.Query(db => db.Orders.SingleAsync())).Number.ShouldBe(1);
        (await host.Operator.Show(prepared.SequenceNumber))!.History[^1].By.ShouldBe("ada");
    }

    [SkippableFact]
    public async Task A_recheck_asks_at_once_with_all_checks_before_it()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(c => c.CheckBackLimit = 1));
        var prepared = await host.Prepare(1);
        await host.CheckNext();
        (await host.Row()).DueAt.ShouldBeNull();

        (await host.Operator.Recheck(prepared.SequenceNumber, "ada")).ShouldBeTrue();
        host.Answers.Always = CheckBackAnswer.Committed;
        await host.Check();

        (await host.Row()).State.ShouldBe(OutboxMessageState.Pending);
        (await host.Operator.Recheck(prepared.SequenceNumber, "ada")).ShouldBeFalse();
        (await host.Operator.Show(prepared.SequenceNumber))!.History.Select(e => e.Kind).ShouldBe(
            [HalfMessageEventKind.Prepared, HalfMessageEventKind.Unknown, HalfMessageEventKind.Rechecked, HalfMessageEventKind.Committed]);
    }

    [SkippableFact]
    public async Task A_recheck_stands_when_a_check_that_is_under_way_ends_without_a_decision()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o => o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(c => c.CheckBackLimit = 1));
        var prepared = await host.Prepare(1);
        host.Answers.To = async (_, _, _) =>
        {
            await host.Operator.Recheck(prepared.SequenceNumber, "ada", CancellationToken.None);
            return CheckBackAnswer.Unknown;
        };

        await host.CheckNext();

        (await host.Row()).ShouldSatisfyAllConditions(r => r.DueAt.ShouldNotBeNull(), r => r.Attempts.ShouldBe(0));
        (await host.Operator.Show(prepared.SequenceNumber))!.History[^1].Kind.ShouldBe(HalfMessageEventKind.Rechecked);
    }

    [SkippableFact]
    public async Task Decisions_are_forgotten_after_their_retention_and_nothing_else_is()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var settled = await host.Prepare(1);
        await host.Operator.Rollback((await host.Prepare(2)).SequenceNumber, "ada");
        await host.Operator.Commit((await host.Prepare(3)).SequenceNumber, "ada");
        await host.Prepare(4);
        await host.Operator.Commit(settled.SequenceNumber, "ada");
        await host.Shop.Query(db => db.OutboxMessages.Where(m => m.SequenceNumber == settled.SequenceNumber).ExecuteUpdateAsync(
            set => set.SetProperty(m => m.State, OutboxMessageState.Committed).SetProperty(m => m.ClosedAt, host.Time.GetUtcNow().UtcDateTime)));
        var cleanUp = new DecisionCleanUp(host.Registration, host.Shop.Services.GetRequiredService<OutboxStore<ShopDb>>(), host.Time, NullLogger.Instance);

        host.Time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        (await cleanUp.RunOnce(default)).ShouldBe(0);
        host.Time.Advance(TimeSpan.FromSeconds(1));
        (await cleanUp.RunOnce(default)).ShouldBe(2);

        (await host.Shop.Rows()).Select(r => r.State).ShouldBe([OutboxMessageState.Pending, OutboxMessageState.Prepared]);
    }

    [SkippableFact]
    public async Task What_this_replica_has_no_check_back_for_is_remembered_for_twice_the_time()
    {
        await using var database = await NewDatabase();
        var time = new ManualTimeProvider();
        await using var newer = await CheckHost.StartAsync(database, time: time);
        await newer.Operator.Rollback((await newer.Prepare(1)).SequenceNumber, "ada");
        await using var older = await CheckHost.StartAsync(database, o => o.AddCheckBack<PackOrder, PackingCheckBack>(), time);
        var cleanUp = new DecisionCleanUp(older.Registration, older.Shop.Services.GetRequiredService<OutboxStore<ShopDb>>(), time, NullLogger.Instance);

        time.Advance(TimeSpan.FromDays(14) - TimeSpan.FromSeconds(1));
        (await cleanUp.RunOnce(default)).ShouldBe(0);
        time.Advance(TimeSpan.FromSeconds(1));
        (await cleanUp.RunOnce(default)).ShouldBe(1);
    }

    [SkippableFact]
    public async Task Decisions_whose_markers_cannot_be_deleted_keep_no_others_from_being_forgotten()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o =>
        {
            o.AddCheckBack<OrderPlaced, OutOfReach>();
            o.AddCheckBack<PackOrder, PackingCheckBack>();
        });
        await host.Operator.Rollback((await host.Prepare(1)).SequenceNumber, "ada");
        await host.Shop.Query(async db =>
        {
            // A whole batch of them, before the other.
            var row = db.Entry(await db.OutboxMessages.AsNoTracking().SingleAsync());
            for (var more = 0; more < 1000; more++)
            {
                var copy = (OutboxMessage)row.CurrentValues.ToObject();
                copy.SequenceNumber = 0;
                db.Add(copy);
            }

            return await db.SaveChangesAsync();
        });
        host.Time.Advance(TimeSpan.FromSeconds(1));
        await host.Shop.InScope(async (_, outbox) => await (await outbox.Prepare(new PackOrder(2))).RollbackAsync());
        var cleanUp = new DecisionCleanUp(host.Registration, host.Shop.Services.GetRequiredService<OutboxStore<ShopDb>>(), host.Time, NullLogger.Instance);

        host.Time.Advance(TimeSpan.FromDays(7));
        (await cleanUp.RunOnce(default)).ShouldBe(1);

        (await host.Shop.Rows()).Count.ShouldBe(1001);
    }

    [SkippableFact]
    public async Task Markers_whose_database_does_not_answer_are_given_up_as_a_check_is()
    {
        await using var database = await NewDatabase();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await CheckHost.StartAsync(
            database, o => o.AddCheckBack<OrderPlaced, Silent>(c => c.CheckTimeout = TimeSpan.FromSeconds(5)), services: s => s.AddSingleton(asked));
        await host.Operator.Rollback((await host.Prepare(1)).SequenceNumber, "ada");
        host.Time.Advance(TimeSpan.FromDays(7));
        var cleanUp = new DecisionCleanUp(host.Registration, host.Shop.Services.GetRequiredService<OutboxStore<ShopDb>>(), host.Time, NullLogger.Instance);

        var forgetting = cleanUp.RunOnce(default);
        await asked.Task.WaitAsync(Eventually.Limit, TimeProvider.System);
        host.Time.Advance(TimeSpan.FromSeconds(5));

        (await forgetting.WaitAsync(Eventually.Limit, TimeProvider.System)).ShouldBe(0);
        (await host.Row()).State.ShouldBe(OutboxMessageState.RolledBack);
    }

    [SkippableFact]
    public async Task A_dead_half_message_that_is_discarded_leaves_its_decision_behind()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var prepared = await host.Prepare(1);
        await host.Operator.Commit(prepared.SequenceNumber, "ada");
        await host.Shop.Query(db => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.State, OutboxMessageState.Dead)));

        (await host.Shop.Services.GetRequiredService<IDeadMessages<ShopDb>>().Discard([prepared.SequenceNumber])).ShouldBe(1);

        (await host.Row()).ShouldSatisfyAllConditions(r => r.State.ShouldBe(OutboxMessageState.Committed), r => r.Body.ShouldBeEmpty());
        await host.Operator.Commit(prepared.SequenceNumber, "ada");
        await Should.ThrowAsync<HalfMessageDecidedException>(() => host.Operator.Rollback(prepared.SequenceNumber, "ada"));
    }
}

/// <summary>Keeps its markers in a database that is away.</summary>
public sealed class OutOfReach : ICheckBack<OrderPlaced>, IMarkers
{
    public Task<CheckBackAnswer> Check(OrderPlaced message, CancellationToken cancellationToken) => Task.FromResult(CheckBackAnswer.Unknown);

    Task IMarkers.Forget(IReadOnlyCollection<Guid> messageIds, CancellationToken cancellationToken) => throw new IOException("The database is away.");
}

/// <summary>Keeps its markers in a database that takes the question and does not answer.</summary>
public sealed class Silent(TaskCompletionSource asked) : ICheckBack<OrderPlaced>, IMarkers
{
    public Task<CheckBackAnswer> Check(OrderPlaced message, CancellationToken cancellationToken) => Task.FromResult(CheckBackAnswer.Unknown);

    Task IMarkers.Forget(IReadOnlyCollection<Guid> messageIds, CancellationToken cancellationToken)
    {
        asked.TrySetResult();
        return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
    }
}

public sealed class SqliteOperatorTests : OperatorSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresOperatorTests : OperatorSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerOperatorTests : OperatorSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
