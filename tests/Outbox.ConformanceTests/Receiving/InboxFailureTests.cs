using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>A consumer that fails leaves nothing behind, and what runs around the inbox sees its exception.</summary>
public abstract class InboxFailureTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task A_failure_leaves_neither_rows_nor_messages_and_can_be_delivered_again()
    {
        var fail = true;
        await using var host = await Start(async (context, db) =>
        {
            await Credit(context, db);
            await db.SaveChangesAsync();
            if (fail)
                throw new InvalidOperationException("not now");
        });
        var id = NewId.NextGuid();

        await host.Deliver(id, new Credit("x"));
        await host.Reported.Faulted.WaitForCount(1);
        (await host.Entries()).ShouldBeEmpty();
        (await host.Outgoing()).ShouldBeEmpty();
        (await host.Inbox()).ShouldBeEmpty();

        fail = false;
        await host.Deliver(id, new Credit("x"));
        await host.Reported.Consumed.WaitForCount(1);
        (await host.Entries()).ShouldBe(["x"]);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_retry_of_the_endpoint_runs_outside_whichever_was_configured_first(bool retryFirst)
    {
        var runs = 0;
        void Retry(IReceiveEndpointConfigurator endpoint, IRegistrationContext _) => endpoint.UseMessageRetry(r => r.Immediate(2));
        await using var host = await Start(
            async (context, db) =>
            {
                await Credit(context, db);
                if (++runs < 3)
                    throw new InvalidOperationException("not now");
            },
            retryFirst ? new InboxSetUp { Before = Retry } : new InboxSetUp { After = Retry });

        await host.Deliver(NewId.NextGuid(), new Credit("third time"));
        await host.Reported.Received.WaitForCount(1);

        runs.ShouldBe(3);
        (await host.Entries()).ShouldBe(["third time"]);
        (await host.Outgoing()).Count.ShouldBe(1);
        host.Reported.Faulted.Count.ShouldBe(0);
    }

    [SkippableFact]
    public async Task A_retry_that_shares_the_scope_starts_with_nothing_tracked()
    {
        var tracked = new List<int>();
        await using var host = await Start(
            async (context, db) =>
            {
                tracked.Add(db.ChangeTracker.Entries().Count());
                await Credit(context, db);
                if (tracked.Count == 1)
                    throw new InvalidOperationException("not now");
            },
            new InboxSetUp
            {
                Before = (endpoint, context) =>
                {
                    endpoint.UseMessageScope(context);
                    endpoint.UseMessageRetry(r => r.Immediate(1));
                },
            });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        tracked.ShouldBe([0, 0]);
        (await host.Entries()).ShouldBe(["x"]);
        (await host.Outgoing()).Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_fault_goes_to_the_broker_itself_and_only_after_the_rollback()
    {
        InboxHost? running = null;
        var faults = new SignalLog<(string Message, int Rows)>();
        await using var host = await Start(
            async (context, db) =>
            {
                await Credit(context, db);
                await db.SaveChangesAsync();
                throw new InvalidOperationException("broken");
            },
            new InboxSetUp
            {
                // Two tries, one fault.
                Before = (endpoint, _) => endpoint.UseMessageRetry(r => r.Immediate(1)),
                Endpoints = (bus, _) => bus.ReceiveEndpoint("faults", e => e.Handler<Fault<Credit>>(async c =>
                    faults.Add((c.Message.Exceptions[0].Message, (await running!.Entries()).Count)))),
            });
        running = host;

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(2);

        faults.Values.ShouldBe([("broken", 0)]);
        (await host.Outgoing()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_failing_save_of_the_consumers_rows_is_a_failure_of_the_consumer()
    {
        await using var host = await Start();
        await host.Deliver(NewId.NextGuid(), new Credit("unique"));
        await host.Reported.Consumed.WaitForCount(1);

        await host.Deliver(NewId.NextGuid(), new Credit("unique"));
        var faulted = await host.Reported.Faulted.WaitForCount(1);

        faulted[0].ShouldBeOfType<DbUpdateException>();
        (await host.Inbox()).Count.ShouldBe(1);
        (await host.Outgoing()).Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_consumer_may_catch_a_failed_save_and_go_on()
    {
        await using var host = await Start(async (context, db) =>
        {
            db.Entries.Add(new Entry { Text = "taken" });
            try
            {
                await db.SaveChangesAsync();
            }
            catch (DbUpdateException)
            {
                db.ChangeTracker.Clear();
                await context.Publish(new Credited("was there before"));
            }
        });
        await host.Deliver(NewId.NextGuid(), new Credit("1"));
        await host.Deliver(NewId.NextGuid(), new Credit("2"));
        await host.Reported.Consumed.WaitForCount(2);

        (await host.Entries()).ShouldBe(["taken"]);
        (await host.Outgoing()).Count.ShouldBe(1);
        (await host.Inbox()).Count.ShouldBe(2);
    }

    /// <summary>PostgreSQL aborts the transaction, and its COMMIT would be a silent rollback.</summary>
    [SkippableFact]
    public async Task A_message_is_not_lost_when_the_consumer_hides_a_failed_statement()
    {
        await using var host = await Start(async (_, db) =>
        {
            db.Entries.Add(new Entry { Text = "work" });
            await db.SaveChangesAsync();
            try
            {
                await db.Database.ExecuteSqlRawAsync("INSERT INTO \"NoSuchTable\" VALUES (1)");
            }
            catch (System.Data.Common.DbException)
            {
                // "It does not matter."
            }
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        var stored = (await host.Entries()).Count == 1 && (await host.Inbox()).Count == 1;
        var failed = host.Reported.Faulted.Count == 1 && (await host.Inbox()).Count == 0;
        (stored || failed).ShouldBeTrue("stored as a whole, or reported as failed");
        stored.ShouldNotBe(host.Reported.Faulted.Count == 1);
    }

    [SkippableFact]
    public async Task An_outage_before_the_consumer_has_begun_counts_for_nothing()
    {
        var outage = new Outage();
        await using var host = await Start(setUp: new InboxSetUp { Database = o => o.AddInterceptors(outage) });

        outage.On = true;
        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await outage.Refused.WaitForCount(3);
        host.Reported.Received.Count.ShouldBe(0, "not acknowledged");

        outage.On = false;
        await host.Reported.Received.WaitForCount(1);
        (await host.Entries()).ShouldBe(["x"]);
        host.Reported.Faulted.Count.ShouldBe(0);
    }

    [SkippableFact]
    public async Task A_failing_activity_keeps_its_fault_and_loses_its_rows()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddExecuteActivity<BreakingActivity, BreakingArguments>(),
            Endpoints = (bus, context) => bus.ReceiveEndpoint("breaking", e =>
            {
                e.UseEntityFrameworkOutbox<LedgerDb>(context);
                e.ConfigureExecuteActivity(context, typeof(BreakingActivity));
            }),
        });

        var slip = new RoutingSlipBuilder(NewId.NextGuid());
        slip.AddActivity("breaking", new Uri("queue:breaking"));
        await host.Bus.Execute(slip.Build());
        await host.Reported.Received.WaitForCount(1);

        (await host.Entries()).ShouldBeEmpty();
        (await host.Outgoing()).ShouldContain(m => m.MessageType.Contains("RoutingSlipActivityFaulted", StringComparison.Ordinal));
        (await host.Inbox()).Count.ShouldBe(1);
    }

    public sealed class BreakingArguments;

    internal sealed class BreakingActivity(LedgerDb db) : IExecuteActivity<BreakingArguments>
    {
        public async Task<ExecutionResult> Execute(ExecuteContext<BreakingArguments> context)
        {
            db.Entries.Add(new Entry { Text = "saved" });
            await db.SaveChangesAsync();
            db.Entries.Add(new Entry { Text = "tracked" });
            throw new InvalidOperationException("broken");
        }
    }
}

public sealed class SqliteInboxFailureTests() : InboxFailureTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxFailureTests() : InboxFailureTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxFailureTests() : InboxFailureTests(TestDatabase.SqlServerAsync);
