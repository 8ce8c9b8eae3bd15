using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>Which replica checks a half message, and what several do at once.</summary>
public abstract class CheckReplicaSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Another_replica_answers_when_the_one_that_prepared_never_comes_back()
    {
        await using var database = await NewDatabase();
        var time = new ManualTimeProvider();
        OutboxMessage prepared;
        await using (var first = await CheckHost.StartAsync(database, time: time))
            prepared = await first.Prepare(1);

        await using var second = await CheckHost.StartAsync(database, time: time);
        second.Answers.Always = CheckBackAnswer.Committed;
        await second.CheckNext();

        (await second.Row()).State.ShouldBe(OutboxMessageState.Pending);
        var history = (await second.Operator.Show(prepared.SequenceNumber))!.History;
        (history[0].By == history[1].By).ShouldBeFalse();
        history[1].By.ShouldBe(second.Registration.Replica);
    }

    [SkippableFact]
    public async Task Two_replicas_that_check_at_once_count_one_answer_and_decide_once()
    {
        await using var database = await NewDatabase();
        var time = new ManualTimeProvider();
        await using var first = await CheckHost.StartAsync(database, time: time);
        await using var second = await CheckHost.StartAsync(database, time: time);
        var both = new Barrier();
        foreach (var replica in new[] { first, second })
        {
            replica.Answers.To = async (_, _, _) =>
            {
                await both.Arrive();
                return CheckBackAnswer.Unknown;
            };
        }

        await first.Prepare(1);
        time.Advance(TimeSpan.FromSeconds(7));
        await Task.WhenAll(first.Check(), second.Check());
        (await first.Row()).Attempts.ShouldBe(1);

        both = new Barrier();
        first.Answers.To = async (_, db, _) =>
        {
            await both.Arrive();
            db.Add(new Order { Number = 1 });
            return CheckBackAnswer.Committed;
        };
        second.Answers.To = async (_, db, _) =>
        {
            await both.Arrive();
            db.Add(new Order { Number = -1 });
            return CheckBackAnswer.RolledBack;
        };
        time.Advance(TimeSpan.FromMinutes(1));
        await Task.WhenAll(first.Check(), second.Check());

        var row = await first.Row();
        row.State.ShouldBeOneOf(OutboxMessageState.Pending, OutboxMessageState.RolledBack);
        (await first.Shop.Query(db => db.Orders.SingleAsync())).Number.ShouldBe(row.State == OutboxMessageState.Pending ? 1 : -1);
    }

    [SkippableFact]
    public async Task Two_replicas_that_find_the_same_at_once_change_the_business_rows_once()
    {
        await using var database = await NewDatabase();
        var time = new ManualTimeProvider();
        await using var first = await CheckHost.StartAsync(database, time: time);
        await using var second = await CheckHost.StartAsync(database, time: time);
        var both = new Barrier();
        foreach (var (replica, number) in new[] { (first, 1), (second, 2) })
        {
            replica.Answers.To = async (_, db, _) =>
            {
                await both.Arrive();
                db.Add(new Order { Number = number });
                return CheckBackAnswer.Committed;
            };
        }

        await first.Prepare(1);
        time.Advance(TimeSpan.FromSeconds(7));
        await Task.WhenAll(first.Check(), second.Check());

        (await first.Row()).State.ShouldBe(OutboxMessageState.Pending);
        (await first.Shop.Orders()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_replica_without_a_checker_says_so_and_passes_the_check_on()
    {
        await using var database = await NewDatabase();
        var time = new ManualTimeProvider();
        await using var newer = await CheckHost.StartAsync(database, time: time);
        await using var older = await CheckHost.StartAsync(database, o => o.AddCheckBack<PackOrder, PackingCheckBack>(), time);
        newer.Answers.Always = CheckBackAnswer.Committed;
        newer.Registration.OwnedPartitions = [];
        var prepared = await newer.Prepare(1);
        time.Advance(TimeSpan.FromSeconds(7));

        await older.Check();
        await older.Check();
        await newer.Check();
        var row = await newer.Row();
        (row.State, row.Attempts, row.DueAt).ShouldBe((OutboxMessageState.Prepared, 0, prepared.DueAt));
        row.LastError!.ShouldContain("has no check-back");
        (await newer.Operator.Show(prepared.SequenceNumber))!.History.Count(e => e.Kind == HalfMessageEventKind.NoAnswer).ShouldBe(1);

        time.Advance(TimeSpan.FromSeconds(21));
        await newer.Check();
        (await newer.Row()).State.ShouldBe(OutboxMessageState.Pending);
    }

    [SkippableFact]
    public async Task A_replica_leaves_the_partitions_of_others_alone()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var prepared = await host.Prepare(1);
        host.Registration.OwnedPartitions = [.. Enumerable.Range(0, 16).Where(p => p != prepared.Partition)];
        host.Time.Advance(TimeSpan.FromSeconds(7));

        await host.Check();

        host.Answers.Asked.Values.ShouldBeEmpty();
    }

    /// <summary>Lets two go on when both are there.</summary>
    private sealed class Barrier
    {
        private readonly TaskCompletionSource _both = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _missing = 2;

        public Task Arrive()
        {
            if (Interlocked.Decrement(ref _missing) == 0)
                _both.SetResult();
            return _both.Task;
        }
    }
}

public sealed class SqliteCheckReplicaTests : CheckReplicaSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresCheckReplicaTests : CheckReplicaSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerCheckReplicaTests : CheckReplicaSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
