using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Preparing;

/// <summary>Decisions about half messages that are made by a save of the DbContext, or are not, because it is not saved.</summary>
public abstract class JoinedDecisionSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_decision_joins_the_next_save(bool commit)
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            db.Add(new Order { Number = 1 });
            half.Decide(commit);
            (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Prepared);
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.State.ShouldBe(commit ? OutboxMessageState.Pending : OutboxMessageState.RolledBack);
        (row.DueAt is not null).ShouldBe(commit);
        (row.Body.Length > 0).ShouldBe(commit);
        (await host.Orders()).ShouldBe(1);
    }

    [SkippableFact]
    public async Task The_save_may_be_synchronous_or_in_a_transaction_of_the_callers_or_have_nothing_else_to_save()
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var first = await outbox.Prepare(new OrderPlaced(1));
            first.Commit();
            db.Add(new Order { Number = 1 });
            db.SaveChanges();

            await using var second = await outbox.Prepare(new OrderPlaced(2));
            await using (var transaction = await db.Database.BeginTransactionAsync())
            {
                second.Commit();
                db.Add(new Order { Number = 2 });
                await db.SaveChangesAsync();
                await transaction.CommitAsync();
            }

            await using var third = await outbox.Prepare(new OrderPlaced(3));
            third.Commit();
            await db.SaveChangesAsync();
            await using var fourth = await outbox.Prepare(new OrderPlaced(4));
            fourth.Rollback();
            db.SaveChanges();
        });

        (await host.Rows()).Select(r => r.State).ShouldBe(
            [OutboxMessageState.Pending, OutboxMessageState.Pending, OutboxMessageState.Pending, OutboxMessageState.RolledBack]);
    }

    [SkippableFact]
    public async Task A_decision_goes_with_the_callers_transaction_and_not_with_a_later_save()
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await using (var transaction = await db.Database.BeginTransactionAsync())
            {
                half.Commit();
                db.Add(new Order { Number = 1 });
                await db.SaveChangesAsync();
                await transaction.RollbackAsync();
            }

            db.ChangeTracker.Clear();
            db.Add(new Order { Number = 2 });
            await db.SaveChangesAsync();
        });

        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Prepared);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_save_that_fails_decides_nothing_and_its_repetition_decides(bool inTransaction)
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);
        await host.InScope(async (db, _) =>
        {
            db.Add(new Order { Number = 1 });
            await db.SaveChangesAsync();
        });

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            var order = new Order { Number = 1 };
            db.Add(order);
            half.Commit();
            await Should.ThrowAsync<DbUpdateException>(() => Save(db));
            (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Prepared);

            order.Number = 2;
            await Save(db);
        });

        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Pending);
        (await host.Orders()).ShouldBe(2);

        async Task Save(ShopDb db)
        {
            await using var transaction = inTransaction ? await db.Database.BeginTransactionAsync() : null;
            await db.SaveChangesAsync();
            if (transaction is not null)
                await transaction.CommitAsync();
        }
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_save_that_fails_on_a_concurrency_check_decides_nothing_whatever_is_committed_afterwards(bool inTransaction)
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            half.Commit();
            db.Update(new Order { Id = 12345, Number = 1 });
            if (!inTransaction)
                await Should.ThrowAsync<DbUpdateConcurrencyException>(() => db.SaveChangesAsync());
            await using var transaction = await db.Database.BeginTransactionAsync();
            if (inTransaction)
                await Should.ThrowAsync<DbUpdateConcurrencyException>(() => db.SaveChangesAsync());
            await transaction.CommitAsync();
        });

        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Prepared);
    }

    [SkippableFact]
    public async Task What_is_not_saved_before_the_half_message_is_disposed_of_is_no_decision()
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using (var half = await outbox.Prepare(new OrderPlaced(1)))
                half.Commit();
            db.Add(new Order { Number = 1 });
            await db.SaveChangesAsync();
        });

        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Prepared);
    }

    [SkippableFact]
    public async Task A_context_from_a_pool_does_not_decide_for_its_user_before()
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database, o => o.DbContext = (services, d) => services.AddDbContextPool<ShopDb>(d.Configure));

        await host.InScope(async (_, outbox) =>
        {
            var half = await outbox.Prepare(new OrderPlaced(1));
            half.Commit();                                  // and neither saved nor disposed of
        });

        // Both contexts of the pool: the caller's, and the one that the message was stored by.
        await host.InScope((one, _) => host.InScope(async (other, _) =>
        {
            one.Add(new Order { Number = 1 });
            await one.SaveChangesAsync();
            other.Add(new Order { Number = 2 });
            await other.SaveChangesAsync();
        }));

        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Prepared);
    }

    [SkippableFact]
    public async Task The_loser_saves_what_agrees_with_the_decision()
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await half.RollbackAsync();
            var order = new Order { Number = 1 };
            db.Add(order);
            half.Commit();
            await Should.ThrowAsync<HalfMessageDecidedException>(() => db.SaveChangesAsync());

            order.Number = -1;
            half.Rollback();
            await db.SaveChangesAsync();
        });

        (await host.Query(db => db.Orders.SingleAsync())).Number.ShouldBe(-1);
    }
}

public sealed class SqliteJoinedDecisionTests : JoinedDecisionSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresJoinedDecisionTests : JoinedDecisionSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();

    // SQLite has no such transactions.
    [SkippableFact]
    public async Task A_refusal_that_is_swallowed_in_a_transaction_scope_commits_nothing()
    {
        await using var database = await NewDatabase();
        await using var host = await HalfMessageSuite.Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await half.RollbackAsync();
            half.Commit();
            var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            db.Add(new Order { Number = 1 });
            await Should.ThrowAsync<HalfMessageDecidedException>(() => db.SaveChangesAsync());
            scope.Complete();
            Should.Throw<TransactionAbortedException>(scope.Dispose);
        });

        (await host.Orders()).ShouldBe(0);
    }
}

public sealed class SqlServerJoinedDecisionTests : JoinedDecisionSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
