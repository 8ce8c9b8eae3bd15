using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Preparing;

/// <summary>Decisions that join a save which an execution strategy repeats.</summary>
public sealed class RetriedSaveTests
{
    private readonly Trouble _trouble = new();
    private readonly LostAnswer _lostAnswer = new();

    [Theory]
    [InlineData(When.BeforeTheCommit)]
    [InlineData(When.AfterTheCommit)]
    public async Task A_save_that_is_repeated_decides_again_and_ends_as_one_decision(When when)
    {
        await using var database = TestDatabase.Sqlite();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            half.Commit();
            if (when == When.BeforeTheCommit)
                db.Add(new Order { Number = 1 });           // after an ambiguous commit EF itself would insert it twice
            _trouble.Next = when;
            await db.SaveChangesAsync();
        });

        _trouble.Next.ShouldBeNull();
        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.State.ShouldBe(OutboxMessageState.Pending);
        Kinds(row).Count(k => k == HalfMessageEventKind.Committed).ShouldBe(1);
        (await host.Orders()).ShouldBe(when == When.BeforeTheCommit ? 1 : 0);
    }

    [Theory]
    [InlineData(When.BeforeTheCommit)]
    [InlineData(When.AfterTheCommit)]
    public async Task A_unit_that_is_repeated_with_changes_that_are_not_accepted_decides_again(When when)
    {
        await using var database = TestDatabase.Sqlite();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            half.Commit();
            db.Add(new Order { Number = 1 });
            _trouble.Next = when;
            await db.Database.CreateExecutionStrategy().ExecuteInTransactionAsync(
                () => db.SaveChangesAsync(acceptAllChangesOnSuccess: false),
                () => db.Orders.AsNoTracking().AnyAsync(o => o.Number == 1));
            db.ChangeTracker.AcceptAllChanges();
        });

        _trouble.Next.ShouldBeNull();
        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Pending);
        (await host.Orders()).ShouldBe(1);
    }

    [Theory]
    [InlineData(When.BeforeTheCommit)]
    [InlineData(When.AfterTheCommit)]
    public async Task A_decision_at_once_that_is_repeated_is_one_decision(When when)
    {
        await using var database = TestDatabase.Sqlite();
        await using var host = await Start(database);

        await host.InScope(async (_, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            _trouble.Next = when;
            await half.CommitAsync();
        });

        _trouble.Next.ShouldBeNull();
        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.State.ShouldBe(OutboxMessageState.Pending);
        Kinds(row).Count(k => k == HalfMessageEventKind.Committed).ShouldBe(1);
    }

    [Theory]
    [InlineData(OutboxMessageState.Prepared)]
    [InlineData(OutboxMessageState.Pending)]               // a check-back was faster than the repetition
    public async Task A_prepare_whose_answer_was_lost_has_stored_one_message(OutboxMessageState found)
    {
        await using var database = TestDatabase.Sqlite();
        await using var host = await Start(database);
        _lostAnswer.Next = db => db.Set<OutboxMessage>().ExecuteUpdateAsync(set => set.SetProperty(m => m.State, found));

        await host.InScope(async (_, outbox) =>
        {
            await using var half = await outbox.Prepare(new OrderPlaced(1));
            await half.CommitAsync();
        });

        _lostAnswer.Next.ShouldBeNull();
        (await host.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Pending);
    }

    private static IEnumerable<HalfMessageEventKind> Kinds(OutboxMessage row) => Outbox.Preparing.HalfHistory.Read(row.History).Select(e => e.Kind);

    private Task<ShopHost> Start(TestDatabase database) => ShopHost.StartAsync(database, o =>
    {
        o.Outbox = outbox => outbox.AddCheckBack<OrderPlaced, NobodyKnows>();
        o.DbContext = (services, d) => services.AddDbContext<ShopDb>(options =>
        {
            d.Configure(options);
            options.ReplaceService<IExecutionStrategyFactory, Persistent>();
            options.AddInterceptors(_trouble, _lostAnswer);
        });
        o.WithoutRelay();
    });

    public enum When
    {
        BeforeTheCommit,
        AfterTheCommit,
    }

    /// <summary>The connection is lost around a commit: the answer is an error, whether or not it came through.</summary>
    private sealed class Trouble : DbTransactionInterceptor
    {
        public When? Next { get; set; }

        public override ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            Strike(When.BeforeTheCommit);
            return ValueTask.FromResult(result);
        }

        public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Strike(When.AfterTheCommit);
            return Task.CompletedTask;
        }

        private void Strike(When when)
        {
            if (Next != when)
                return;
            Next = null;
            throw new TimeoutException("The connection was lost.");
        }
    }

    /// <summary>A message is inserted, and the answer is an error.</summary>
    private sealed class LostAnswer : DbCommandInterceptor
    {
        /// <summary>What happens to the message before the error comes.</summary>
        public Func<DbContext, Task>? Next { get; set; }

        public override async ValueTask<DbDataReader> ReaderExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
        {
            if (Next is not { } next || !command.CommandText.StartsWith("INSERT INTO \"OutboxMessage\"", StringComparison.Ordinal))
                return result;
            Next = null;
            await result.DisposeAsync();
            await next(eventData.Context!);
            throw new TimeoutException("The connection was lost.");
        }
    }

    private sealed class Persistent(ExecutionStrategyDependencies dependencies) : IExecutionStrategyFactory
    {
        public IExecutionStrategy Create() => new Again(dependencies);

        private sealed class Again(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, 3, TimeSpan.Zero)
        {
            protected override bool ShouldRetryOn(Exception exception) => exception is TimeoutException || exception.InnerException is TimeoutException;
        }
    }
}
