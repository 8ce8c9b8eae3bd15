using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Preparing;

/// <summary>What a producer does with a half message, and what is stored of it. No relay runs.</summary>
public abstract class HalfMessageSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Preparing_stores_the_message_at_once_and_nothing_else()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            db.Add(new Order { Number = 1 });
            await using var half = await outbox.Prepare(new OrderPlaced(1));

            var row = (await host.Rows()).ShouldHaveSingleItem();
            row.State.ShouldBe(OutboxMessageState.Prepared);
            row.MessageId.ShouldBe(half.MessageId);
            row.DueAt.ShouldNotBeNull().ShouldBe(row.CreatedAt + TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(5));
            (await host.Orders()).ShouldBe(0);
        });
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_same_decision_again_changes_nothing_and_lets_the_business_change_be_saved(bool commit)
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await DecideAtOnce(half, commit);
            var before = (await host.Rows())[0];
            await DecideAtOnce(half, commit);
            db.Add(new Order { Number = 1 });
            half.Decide(commit);
            await db.SaveChangesAsync();

            var after = (await host.Rows()).ShouldHaveSingleItem();
            (after.State, after.DueAt, after.History).ShouldBe((before.State, before.DueAt, before.History));
        });

        (await host.Orders()).ShouldBe(1);
    }

    [SkippableTheory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task The_opposite_decision_fails_and_takes_the_business_change_with_it(bool first, bool inTransaction)
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await DecideAtOnce(half, first);
            var refused = await Should.ThrowAsync<HalfMessageDecidedException>(() => DecideAtOnce(half, !first));
            refused.MessageId.ShouldBe(half.MessageId);
            refused.Found.ShouldBe(first ? OutboxMessageState.Pending : OutboxMessageState.RolledBack);

            db.Add(new Order { Number = 1 });
            half.Decide(!first);
            if (inTransaction)
            {
                // Somebody swallows the refusal, and commits.
                await using var transaction = await db.Database.BeginTransactionAsync();
                await Should.ThrowAsync<HalfMessageDecidedException>(() => db.SaveChangesAsync());
                await Should.ThrowAsync<HalfMessageDecidedException>(() => transaction.CommitAsync());
            }
            else
            {
                await Should.ThrowAsync<HalfMessageDecidedException>(() => db.SaveChangesAsync());
                await Should.ThrowAsync<HalfMessageDecidedException>(() => db.SaveChangesAsync());
                Should.Throw<HalfMessageDecidedException>(() => db.SaveChanges());
            }
        });

        (await host.Orders()).ShouldBe(0);
        (await host.Rows())[0].State.ShouldBe(first ? OutboxMessageState.Pending : OutboxMessageState.RolledBack);
    }

    [SkippableFact]
    public async Task A_decision_about_a_row_that_is_gone_fails()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await db.OutboxMessages.ExecuteDeleteAsync();

            (await Should.ThrowAsync<HalfMessageDecidedException>(() => half.CommitAsync())).Found.ShouldBeNull();
            (await Should.ThrowAsync<HalfMessageDecidedException>(() => half.RollbackAsync())).Found.ShouldBeNull();
        });
    }

    [SkippableFact]
    public async Task Two_that_decide_at_once_agree_afterwards()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        for (var number = 1; number <= 20; number++)
        {
            await host.InScope(async (_, outbox) =>
            {
                await using var half = await outbox.Prepare(new OrderPlaced(number));
                var outcomes = await Task.WhenAll(
                    Outcome(host, half.MessageId, number, commit: true), Outcome(host, half.MessageId, -number, commit: false));

                outcomes.Count(won => won).ShouldBe(1);
                var state = (await host.Rows()).Single(r => r.MessageId == half.MessageId).State;
                state.ShouldBe(outcomes[0] ? OutboxMessageState.Pending : OutboxMessageState.RolledBack);
                (await host.Query(db => db.Orders.Select(o => o.Number).SingleAsync(n => n == number || n == -number)))
                    .ShouldBe(outcomes[0] ? number : -number);
            });
        }

        // Each by a DbContext of its own, with a business row of its own.
        static async Task<bool> Outcome(ShopHost host, Guid messageId, int order, bool commit)
        {
            await using var scope = host.Services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<ShopDb>();
            await using var half = await scope.ServiceProvider.Half(messageId);
            db.Add(new Order { Number = order });
            half.Decide(commit);
            try
            {
                await db.SaveChangesAsync();
                return true;
            }
            catch (HalfMessageDecidedException)
            {
                return false;
            }
        }
    }

    [SkippableFact]
    public async Task Preparing_in_a_transaction_is_refused_and_says_what_to_do()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using (await db.Database.BeginTransactionAsync())
            {
                (await Should.ThrowAsync<InvalidOperationException>(() => outbox.Prepare(new OrderPlaced(1)))).Message
                    .ShouldContain("prepare before the transaction begins");
            }

            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await using (await db.Database.BeginTransactionAsync())
            {
                (await Should.ThrowAsync<InvalidOperationException>(() => half.CommitAsync())).Message.ShouldContain("call Commit() and save");
                (await Should.ThrowAsync<InvalidOperationException>(() => half.RollbackAsync())).Message.ShouldContain("call Rollback() and save");
            }
        });

        (await host.Rows()).Count.ShouldBe(1);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Preparing_what_could_run_out_or_would_be_late_is_refused_before_anything_is_stored(bool expires)
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o =>
        {
            o.Outbox = outbox => outbox.AddCheckBack<OrderPlaced, NobodyKnows>();
            o.Transport = bus => bus.UsingInMemory((context, cfg) => cfg.ConfigurePublish(pipe => pipe.UseExecute(c =>
            {
                if (expires)
                    c.TimeToLive = TimeSpan.FromMinutes(1);
                else
                    c.Delay = TimeSpan.FromMinutes(1);
            })));
            o.WithoutRelay();
        });

        await host.InScope(async (_, outbox) =>
        {
            var refused = await Should.ThrowAsync<InvalidOperationException>(() => outbox.Prepare(new OrderPlaced(1)));
            refused.Message.ShouldContain(expires ? "a time to live" : "a delay");
        });

        (await host.Rows()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Preparing_a_type_without_a_check_back_is_refused_before_anything_is_stored()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (_, outbox) =>
            (await Should.ThrowAsync<ConfigurationException>(() => outbox.Prepare(new PackOrder(1)))).Message.ShouldContain("AddCheckBack<PackOrder, ...>()"));

        (await host.Rows()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Work_that_is_done_commits_and_work_that_is_refused_rolls_back_and_an_exception_decides_nothing()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await host.InScope(async (_, outbox) =>
        {
            (await outbox.PrepareAndRun(new OrderPlaced(1), _ => Task.FromResult(LocalWork.Committed))).ShouldBe(LocalWork.Committed);
            (await outbox.PrepareAndRun(new OrderPlaced(2), _ => Task.FromResult(LocalWork.RolledBack))).ShouldBe(LocalWork.RolledBack);
            await Should.ThrowAsync<IOException>(() => outbox.PrepareAndRun(new OrderPlaced(3), _ => throw new IOException()));
        });

        (await host.Rows()).Select(r => r.State).ShouldBe([OutboxMessageState.Pending, OutboxMessageState.RolledBack, OutboxMessageState.Prepared]);
    }

    internal static Task<ShopHost> Start(TestDatabase database, Action<ShopHostOptions>? configure = null) => ShopHost.StartAsync(database, o =>
    {
        o.Outbox = outbox => outbox.AddCheckBack<OrderPlaced, NobodyKnows>();
        configure?.Invoke(o);
        o.WithoutRelay();
    });

    private static Task DecideAtOnce(IHalfMessage half, bool commit) => commit ? half.CommitAsync() : half.RollbackAsync();
}

/// <summary>A check-back that can never tell.</summary>
public sealed class NobodyKnows : ICheckBack<OrderPlaced>
{
    public Task<CheckBackAnswer> Check(OrderPlaced message, CancellationToken cancellationToken) => Task.FromResult(CheckBackAnswer.Unknown);
}

public sealed class SqliteHalfMessageTests : HalfMessageSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresHalfMessageTests : HalfMessageSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerHalfMessageTests : HalfMessageSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
