using System.Data;
using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>Two replicas are given the same message at the same time, each with connections of its own.</summary>
public abstract class InboxConcurrencyTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task The_second_waits_for_the_first_and_then_is_a_duplicate()
    {
        var ran = await Race(firstFails: false);

        ran.ShouldBe(1);
    }

    [SkippableFact]
    public async Task The_second_runs_when_the_first_was_rolled_back()
    {
        var ran = await Race(firstFails: true);

        ran.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_lock_time_out_counts_for_nothing()
    {
        var ran = await Race(firstFails: false, impatient: true);

        ran.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_serialization_failure_counts_for_nothing()
    {
        var ran = await Race(firstFails: false, level: IsolationLevel.RepeatableRead);

        ran.ShouldBe(1);
    }

    [SkippableFact]
    public async Task Many_copies_at_once_run_once()
    {
        await using var host = await Start();
        var ids = Enumerable.Range(0, 5).Select(_ => NewId.NextGuid()).ToArray();

        await Task.WhenAll(ids.SelectMany((id, n) => Enumerable.Range(0, 6).Select(_ => host.Deliver(id, new Credit($"entry {n}")))));
        await host.Reported.Received.WaitForCount(30);

        (await host.Entries()).Order(StringComparer.Ordinal).ShouldBe(["entry 0", "entry 1", "entry 2", "entry 3", "entry 4"]);
        host.Reported.Faulted.Values.ShouldBeEmpty();
    }

    private async Task<int> Race(bool firstFails, bool impatient = false, IsolationLevel level = IsolationLevel.ReadCommitted)
    {
        var ran = 0;
        var (running, finish, waiting) = (new Signal(), new Signal(), new Watched());
        var first = new InboxSetUp { Outbox = o => o.IsolationLevel = level };
        var second = first with
        {
            Database = o =>
            {
                o.AddInterceptors(waiting);
                if (impatient)
                    MakeImpatient(o);
            },
        };
        await using var one = await Start(
            async (context, db) =>
            {
                Interlocked.Increment(ref ran);
                await Credit(context, db);
                running.Set();
                await finish.WaitAsync();
                if (firstFails)
                    throw new InvalidOperationException("broken");
            },
            first);
        await using var two = await Start(
            async (context, db) =>
            {
                Interlocked.Increment(ref ran);
                await Credit(context, db);
            },
            second);
        var id = NewId.NextGuid();

        await one.Deliver(id, new Credit("once"));
        await running.WaitAsync();
        await two.Deliver(id, new Credit("once"));

        // Begun means: on its way to where it has to wait. The impatient one gives up and comes back.
        await Eventually.Is(() => waiting.Sent.Values.Count(s => s == Watched.Begin) >= (impatient ? 2 : 1));
        two.Reported.Received.Count.ShouldBe(0);
        finish.Set();

        await one.Reported.Received.WaitForCount(1);
        await two.Reported.Received.WaitForCount(1);
        one.Reported.Faulted.Count.ShouldBe(firstFails ? 1 : 0);
        two.Reported.Faulted.Values.ShouldBeEmpty();
        (await one.Entries()).ShouldBe(["once"]);
        (await one.Outgoing()).Count.ShouldBe(1);
        return ran;
    }

    private void MakeImpatient(DbContextOptionsBuilder options)
    {
        if (Database.Name == "Postgres")
            options.UseNpgsql($"{Database.ConnectionString};Options=-c lock_timeout=200");
        else if (Database.Name == "SqlServer")
            options.AddInterceptors(new LockTimeout());
        else
            options.UseSqlite($"{Database.ConnectionString};Default Timeout=1");
    }
}

/// <summary>SQL Server has no setting for it in the connection string; every opening forgets it.</summary>
internal sealed class LockTimeout : DbConnectionInterceptor
{
    public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = "SET LOCK_TIMEOUT 200";
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

public sealed class SqliteInboxConcurrencyTests() : InboxConcurrencyTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxConcurrencyTests() : InboxConcurrencyTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxConcurrencyTests() : InboxConcurrencyTests(TestDatabase.SqlServerAsync);
