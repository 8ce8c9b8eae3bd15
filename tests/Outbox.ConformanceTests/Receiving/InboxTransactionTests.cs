using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>What a message costs, and what an execution strategy makes of its transaction.</summary>
public abstract class InboxTransactionTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task A_message_costs_a_transaction_and_one_statement_beside_the_consumers_own()
    {
        var watched = new Watched();
        await using var host = await Start(setUp: new InboxSetUp { Database = o => o.AddInterceptors(watched) });
        var own = await Own(host, watched);
        var before = watched.Sent.Count;

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        var sent = watched.Sent.Values.Skip(before).ToList();
        sent[0].ShouldBe(Watched.Begin);
        sent[1].ShouldContain("InboxMessage");
        sent[^1].ShouldBe(Watched.Commit);
        sent.Count.ShouldBe(own + 3, string.Join('\n', sent));
    }

    /// <summary>The last save has nothing to write then. Whether the transaction is still alive costs no statement.</summary>
    [SkippableFact]
    public async Task A_consumer_that_saves_by_itself_costs_no_statement_more()
    {
        var watched = new Watched();
        await using var host = await Start(
            (_, db) =>
            {
                db.Entries.Add(new Entry { Text = "saved" });
                return db.SaveChangesAsync();
            },
            new InboxSetUp { Database = o => o.AddInterceptors(watched) });
        var before = watched.Sent.Count;

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        var sent = watched.Sent.Values.Skip(before).ToList();
        sent.Count(s => s is not (Watched.Begin or Watched.Savepoint or Watched.Commit)).ShouldBe(2, string.Join('\n', sent));
        sent.Count(s => s == Watched.Savepoint).ShouldBe(1, "EF's own, around the consumer's save");
    }

    [SkippableFact]
    public async Task A_failed_save_that_the_consumer_catches_undoes_that_save_and_no_other()
    {
        await using var host = await Start(async (context, db) =>
        {
            foreach (var text in (string[])["one", "two"])
            {
                db.Entries.Add(new Entry { Text = text });
                await db.SaveChangesAsync();
            }

            var taken = await db.Entries.Select(e => e.Id).FirstAsync();
            foreach (var attempt in (string[])["third", "fourth"])
            {
                db.ChangeTracker.Clear();
                db.Entries.AddRange(new Entry { Text = attempt }, new Entry { Id = taken, Text = "refused" });
                await Should.ThrowAsync<DbUpdateException>(() => db.SaveChangesAsync());
            }

            db.ChangeTracker.Clear();
            db.Entries.Add(new Entry { Text = "five" });
            await db.SaveChangesAsync();
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        host.Reported.Faulted.Values.ShouldBeEmpty();
        (await host.Entries()).ShouldBe(["one", "two", "five"]);
    }

    /// <summary>What a consumer goes on with when its transaction is gone must not be saved by itself, and once more with the next delivery.</summary>
    [SkippableTheory]
    [InlineData("SELECT pg_terminate_backend(pg_backend_pid())")]
    [InlineData("SELECT 1 / 0")]
    public async Task A_consumer_that_goes_on_after_its_transaction_was_lost_saves_nothing(string end)
    {
        await using var host = await Start(async (context, db) =>
        {
            await Should.ThrowAsync<Exception>(() => db.Database.ExecuteSqlRawAsync(end));
            for (var attempt = 0; attempt < 4; attempt++)
            {
                db.ChangeTracker.Clear();
                db.Entries.Add(new Entry { Text = "saved" });
                await Should.ThrowAsync<Exception>(() => db.SaveChangesAsync());
            }

            db.ChangeTracker.Clear();
            await Should.ThrowAsync<Exception>(() => db.Database.ExecuteSqlRawAsync("DELETE FROM \"Entries\""));
            await Credit(context, db);
        });
        Skip.If(!await host.Read(db => Task.FromResult(db.Database.IsNpgsql())), "PostgreSQL's words.");

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        host.Reported.Faulted.Count.ShouldBe(1);
        (await host.Entries()).ShouldBeEmpty();
        (await host.Outgoing()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_duplicate_costs_a_transaction_and_one_statement()
    {
        var watched = new Watched();
        await using var host = await Start(setUp: new InboxSetUp { Database = o => o.AddInterceptors(watched) });
        var id = NewId.NextGuid();
        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        var before = watched.Sent.Count;

        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(2);

        var sent = watched.Sent.Values.Skip(before).Where(s => s != Watched.Rollback).ToList();
        sent.Count.ShouldBe(2, string.Join('\n', sent));
    }

    [SkippableFact]
    public async Task An_execution_strategy_retries_the_whole_unit_from_a_clean_start()
    {
        var tracked = new List<int>();
        await using var host = await Start(
            async (context, db) =>
            {
                tracked.Add(db.ChangeTracker.Entries().Count());
                await Credit(context, db);
                await db.SaveChangesAsync();
                db.Entries.Add(new Entry { Text = "more" });
                if (tracked.Count == 1)
                    throw new TimeoutException("passing");
            },
            Retrying());

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        tracked.ShouldBe([0, 0]);
        host.Reported.Faulted.Count.ShouldBe(0);
        (await host.Entries()).ShouldBe(["x", "more"]);
        (await host.Outgoing()).Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_commit_whose_answer_was_lost_is_not_done_twice()
    {
        var runs = 0;
        var answers = new LosesAnAnswer();
        await using var host = await Start(
            (context, db) =>
            {
                runs++;
                answers.LoseOne = true;
                return Credit(context, db);
            },
            Retrying(answers));

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        runs.ShouldBe(1);
        host.Reported.Faulted.Count.ShouldBe(0);
        (await host.Entries()).ShouldBe(["x"]);
        (await host.Outgoing()).Count.ShouldBe(1);
    }

    /// <summary>A provider's own strategy would wrap it, and a retry that handles this type would not know it again.</summary>
    [SkippableFact]
    public async Task A_consumers_exception_comes_out_as_it_was_thrown()
    {
        var runs = 0;
        await using var host = await Start(
            (context, db) => ++runs == 1 ? throw new NpgsqlException("passing", new IOException()) : Credit(context, db),
            new InboxSetUp { Before = (endpoint, _) => endpoint.UseMessageRetry(r =>
            {
                r.Immediate(1);
                r.Handle<NpgsqlException>();
            }) });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        host.Reported.Faulted.Values.ShouldBeEmpty();
        (await host.Entries()).ShouldBe(["x"]);
    }

    /// <summary>What the same work costs without an inbox, inside a transaction that is open already.</summary>
    private static Task<int> Own(InboxHost host, Watched watched) => host.Read(async db =>
    {
        await using var transaction = await db.Database.BeginTransactionAsync();
        db.Database.AutoSavepointsEnabled = false;
        var before = watched.Sent.Count;
        db.Entries.Add(new Entry { Text = "own" });
        db.Outgoing.Add(new OutboxMessage { MessageId = NewId.NextGuid(), Body = [1], Size = 1 });
        await db.SaveChangesAsync();
        var own = watched.Sent.Count - before;
        await transaction.RollbackAsync();
        return own;
    });

    private static InboxSetUp Retrying(params IInterceptor[] interceptors) => new()
    {
        Database = o => o.ReplaceService<IExecutionStrategyFactory, RetryTwiceFactory>().AddInterceptors(interceptors),
    };

    /// <summary>The transaction is committed, and the answer does not arrive.</summary>
    private sealed class LosesAnAnswer : DbTransactionInterceptor
    {
        public bool LoseOne { get; set; }

        public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            var lose = LoseOne;
            LoseOne = false;
            return lose ? throw new TimeoutException("the connection was lost") : Task.CompletedTask;
        }
    }

    private sealed class RetryTwiceFactory(ExecutionStrategyDependencies dependencies) : IExecutionStrategyFactory
    {
        public IExecutionStrategy Create() => new RetryTwice(dependencies);
    }

    private sealed class RetryTwice(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, 2, TimeSpan.Zero)
    {
        protected override bool ShouldRetryOn(Exception exception) => exception is TimeoutException;
    }
}

public sealed class SqliteInboxTransactionTests() : InboxTransactionTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxTransactionTests() : InboxTransactionTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxTransactionTests() : InboxTransactionTests(TestDatabase.SqlServerAsync);
