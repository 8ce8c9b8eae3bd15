using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.ConformanceTests.Preparing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>What becomes of half messages whose producer does not decide.</summary>
public abstract class CheckSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableTheory]
    [InlineData(CheckBackAnswer.Committed, OutboxMessageState.Pending)]
    [InlineData(CheckBackAnswer.RolledBack, OutboxMessageState.RolledBack)]
    public async Task An_answer_decides_and_what_the_checker_changed_is_saved_with_it(CheckBackAnswer answer, OutboxMessageState state)
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var prepared = await host.Prepare(7);
        host.Answers.To = (message, db, _) =>
        {
            db.Add(new Order { Number = message.Number });
            return Task.FromResult(answer);
        };

        await host.Check();
        host.Answers.Asked.Values.ShouldBeEmpty();          // not before its time
        await host.CheckNext();

        (await host.Row()).State.ShouldBe(state);
        (await host.Shop.Query(db => db.Orders.SingleAsync())).Number.ShouldBe(7);
        host.Answers.Asked.Values.ShouldHaveSingleItem().ShouldBe((new OrderPlaced(7), prepared.MessageId));
        var history = (await host.Operator.Show(prepared.SequenceNumber))!.History;
        history.Select(e => e.Kind).ShouldBe(
            [HalfMessageEventKind.Prepared, answer == CheckBackAnswer.Committed ? HalfMessageEventKind.Committed : HalfMessageEventKind.RolledBack]);
        history[^1].By.ShouldBe(host.Registration.Replica);
        await host.Check();
        host.Answers.Asked.Values.Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task Unknown_is_asked_again_at_growing_intervals_until_the_message_is_undecided_and_a_late_commit_still_works()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o =>
        {
            o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(c => (c.CheckBackLimit, c.MaxCheckBackInterval) = (4, TimeSpan.FromMinutes(1)));
        });
        host.Answers.To = (_, db, _) =>
        {
            db.Add(new Order { Number = 1 });
            return Task.FromResult(CheckBackAnswer.Unknown);
        };
        var prepared = await host.Prepare(1);
        var pauses = new List<double>();
        for (var check = 0; check < 4; check++)
        {
            var at = host.Time.GetUtcNow().UtcDateTime;
            await host.CheckNext();
            pauses.Add(Math.Round((host.Time.GetUtcNow().UtcDateTime - at).TotalSeconds));
        }

        pauses.ShouldBe([6, 30, 60, 60]);
        var row = await host.Row();
        (row.State, row.DueAt, row.Attempts).ShouldBe((OutboxMessageState.Prepared, null, 4));
        (await host.Shop.Orders()).ShouldBe(0);             // an answer that is none changes nothing
        (await host.Operator.List()).ShouldHaveSingleItem().IsUndecided.ShouldBeTrue();
        var statistics = await host.Shop.Services.GetRequiredService<IOutboxStatistics<ShopDb>>().Get();
        (statistics.Ready, statistics.Waiting, statistics.Prepared, statistics.Undecided).ShouldBe((0, 0, 0, 1));
        host.Time.Advance(TimeSpan.FromHours(1));
        await host.Check();
        host.Answers.Asked.Values.Count.ShouldBe(4);

        await using var scope = host.Shop.Services.CreateAsyncScope();
        await (await scope.ServiceProvider.Half(prepared.MessageId)).CommitAsync();
        (await host.Row()).State.ShouldBe(OutboxMessageState.Pending);
    }

    [SkippableFact]
    public async Task By_default_the_fifteenth_unknown_leaves_the_message_to_an_operator()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        await host.Prepare(1);

        for (var check = 1; check < 15; check++)
            await host.CheckNext();
        (await host.Row()).DueAt.ShouldNotBeNull();
        await host.CheckNext();

        (await host.Row()).ShouldSatisfyAllConditions(r => r.State.ShouldBe(OutboxMessageState.Prepared), r => r.DueAt.ShouldBeNull(), r => r.Attempts.ShouldBe(15));
    }

    [SkippableFact]
    public async Task No_answer_burns_nothing_however_long_it_lasts_and_is_seen()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        host.Answers.Throws = new IOException("The provider is away.");
        var prepared = await host.Prepare(1);

        for (var check = 0; check < 40; check++)
            await host.CheckNext();

        var row = await host.Row();
        (row.State, row.Attempts, row.Returns).ShouldBe((OutboxMessageState.Prepared, 0, 40));
        row.DueAt.ShouldNotBeNull();
        row.LastError.ShouldBe("IOException: The provider is away.");
        var history = (await host.Operator.Show(prepared.SequenceNumber))!.History;
        history.Count.ShouldBe(20);
        history.ShouldAllBe(e => e.Kind == HalfMessageEventKind.NoAnswer && e.Detail == row.LastError);
        var outage = host.Time.GetUtcNow().UtcDateTime - row.CreatedAt;
        outage.ShouldBeGreaterThan(15 * TimeSpan.FromSeconds(30));

        host.Answers.Always = CheckBackAnswer.Committed;
        await host.CheckNext();
        (await host.Row()).State.ShouldBe(OutboxMessageState.Pending);
    }

    [SkippableFact]
    public async Task A_check_that_takes_too_long_is_no_answer_and_keeps_neither_its_own_type_nor_another_from_being_checked()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database, o =>
        {
            o.AddCheckBack<OrderPlaced, ScriptedCheckBack>(c => c.ConcurrentChecks = 1);
            o.AddCheckBack<PackOrder, PackingCheckBack>();
        });
        var release = new Signal();
        host.Answers.To = async (message, _, _) =>
        {
            if (message.Number == 1)
                await release.WaitAsync(cancellationToken: CancellationToken.None);                   // whatever its cancellation says
            return CheckBackAnswer.Committed;
        };
        var poisoned = await host.Prepare(1);
        var sound = await host.Prepare(2);
        await host.Shop.InScope(async (_, outbox) => await outbox.Prepare(new PackOrder(3)));
        host.Time.Advance(TimeSpan.FromSeconds(7));

        await host.Look();
        await Eventually.Is(async () => (await Of(3)).State == OutboxMessageState.Pending);
        (await Row(host, sound)).State.ShouldBe(OutboxMessageState.Prepared);       // the only place is taken
        host.Time.Advance(TimeSpan.FromSeconds(10));
        await Eventually.Is(async () => (await Row(host, sound)).State == OutboxMessageState.Pending);
        await Eventually.Is(async () => (await Row(host, poisoned)) is { Returns: 1, Attempts: 0, LastError: { } error } && error.Contains("longer than"));

        // It is not asked again while it still hangs.
        host.Time.Advance(TimeSpan.FromMinutes(1));
        await host.Look();
        host.Answers.Asked.Values.Count(a => a.MessageId == poisoned.MessageId).ShouldBe(1);
        release.Set();
        await host.Check();
        await Eventually.Is(async () =>
        {
            await host.Check();
            return (await Row(host, poisoned)).State == OutboxMessageState.Pending;
        });

        async Task<OutboxMessage> Of(int place) => (await host.Shop.Rows())[place - 1];
    }

    [SkippableFact]
    public async Task A_checker_that_blocks_its_thread_keeps_no_other_waiting()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        using var release = new ManualResetEventSlim();
        host.Answers.To = (message, _, _) =>
        {
            if (message.Number == 1)
                release.Wait(CancellationToken.None);
            return Task.FromResult(CheckBackAnswer.Committed);
        };
        await host.Prepare(1);
        var sound = await host.Prepare(2);
        host.Time.Advance(TimeSpan.FromSeconds(7));

        await host.Look();
        await Eventually.Is(async () => (await Row(host, sound)).State == OutboxMessageState.Pending);

        release.Set();
        await host.Check();
    }

    [SkippableFact]
    public async Task What_the_checker_changed_and_cannot_be_saved_is_no_answer()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        await host.Shop.InScope(async (db, _) =>
        {
            db.Add(new Order { Number = 1 });
            await db.SaveChangesAsync();
        });
        host.Answers.To = (_, db, _) =>
        {
            db.Add(new Order { Number = 1 });
            return Task.FromResult(CheckBackAnswer.Committed);
        };
        await host.Prepare(1);

        await host.CheckNext();

        (await host.Row()).ShouldSatisfyAllConditions(
            r => r.State.ShouldBe(OutboxMessageState.Prepared), r => r.Attempts.ShouldBe(0), r => r.LastError!.ShouldContain(nameof(DbUpdateException)));
    }

    [SkippableFact]
    public async Task A_checker_that_leaves_a_transaction_open_has_given_no_answer()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        host.Answers.To = async (_, db, cancel) =>
        {
            await db.Database.BeginTransactionAsync(cancel);
            return CheckBackAnswer.Committed;
        };
        await host.Prepare(1);

        await host.CheckNext();

        (await host.Row()).ShouldSatisfyAllConditions(
            r => r.State.ShouldBe(OutboxMessageState.Prepared), r => r.LastError!.ShouldContain("left a transaction of ShopDb open"));
    }

    [SkippableFact]
    public async Task A_checker_that_never_returns_is_asked_again_after_the_longest_interval()
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var first = true;
        host.Answers.To = (_, _, _) =>
        {
            if (!first)
                return Task.FromResult(CheckBackAnswer.Committed);
            first = false;
            return new TaskCompletionSource<CheckBackAnswer>().Task;
        };
        await host.Prepare(1);
        host.Time.Advance(TimeSpan.FromSeconds(7));
        await host.Look();
        await host.Answers.Asked.WaitForCount(1);
        host.Time.Advance(TimeSpan.FromSeconds(11));
        await Eventually.Is(async () => (await host.Row()).Returns == 1);

        await Eventually.Is(async () =>
        {
            host.Time.Advance(TimeSpan.FromMinutes(10));
            await host.Look();
            return (await host.Row()).State == OutboxMessageState.Pending;
        });
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_late_decision_wins_over_the_check_that_it_races_and_takes_no_business_change_with_it(bool sameAnswer)
    {
        await using var database = await NewDatabase();
        await using var host = await CheckHost.StartAsync(database);
        var prepared = await host.Prepare(1);
        host.Answers.To = async (_, db, _) =>
        {
            await using var scope = host.Shop.Services.CreateAsyncScope();
            var other = scope.ServiceProvider.GetRequiredService<ShopDb>();
            await using var half = await scope.ServiceProvider.Half(prepared.MessageId);
            half.Commit();
            other.Add(new Order { Number = 1 });
            await other.SaveChangesAsync(CancellationToken.None);
            db.Add(new Order { Number = 2 });
            return sameAnswer ? CheckBackAnswer.Committed : CheckBackAnswer.RolledBack;
        };

        await host.CheckNext();

        (await host.Row()).State.ShouldBe(OutboxMessageState.Pending);
        (await host.Shop.Query(db => db.Orders.Select(o => o.Number).OrderBy(n => n).ToListAsync())).ShouldBe([1]);
    }

    private static async Task<OutboxMessage> Row(CheckHost host, OutboxMessage of)
        => (await host.Shop.Rows()).Single(r => r.SequenceNumber == of.SequenceNumber);
}

public sealed class SqliteCheckTests : CheckSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresCheckTests : CheckSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerCheckTests : CheckSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
