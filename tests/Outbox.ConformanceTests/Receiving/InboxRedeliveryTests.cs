using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>A redelivery is stored with the note that it is awaited, so that each pass of a message runs once.</summary>
public abstract class InboxRedeliveryTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task A_failing_consumers_message_is_stored_for_later_and_its_consumption_awaited()
    {
        await using var host = await Start(Breaking, Redelivering());
        var id = NewId.NextGuid();

        await host.Deliver(id, new Credit("x"), c => c.Headers.Set("colour", "green"));
        await host.Reported.Received.WaitForCount(1);

        var copy = (await host.Outgoing()).ShouldHaveSingleItem();
        copy.DestinationAddress.ShouldContain("/inbox");
        copy.MessageId.ShouldNotBe(id);
        copy.DueAt!.Value.ShouldBe(copy.CreatedAt + TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1));
        copy.MessageType.ShouldContain(nameof(Credit));
        Headers(copy)[MessageHeaders.RedeliveryCount].ShouldBe("1");
        Headers(copy)[MessageHeaders.OriginalMessageId].ShouldBe(id.ToString());
        Headers(copy)["colour"].ShouldBe("green");

        var row = (await host.Inbox()).ShouldHaveSingleItem();
        (row.MessageId, row.Pass, row.ConsumedAt).ShouldBe((id, 1, null));
        row.ExpiresAt.ShouldBe(copy.DueAt.Value + TimeSpan.FromDays(1), TimeSpan.FromSeconds(5));
        host.Reported.Faulted.Count.ShouldBe(0, "the message is not given up");
    }

    [SkippableFact]
    public async Task After_a_crash_between_the_storing_and_the_acknowledgement_the_message_runs_once()
    {
        var runs = 0;
        await using var host = await Start(
            (context, db) => ++runs == 1 ? throw new InvalidOperationException("not now") : Credit(context, db),
            Redelivering());
        var id = NewId.NextGuid();
        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        var copy = (await host.Outgoing()).ShouldHaveSingleItem();

        // The broker never heard of the acknowledgement, and delivers the original again.
        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(2);
        runs.ShouldBe(1);
        (await host.Outgoing()).Count.ShouldBe(1);

        await host.DeliverStored(copy);
        await host.DeliverStored(copy);
        await host.Reported.Received.WaitForCount(4);
        runs.ShouldBe(2);
        (await host.Entries()).ShouldBe(["x"]);
    }

    [SkippableFact]
    public async Task Redeliver_inside_a_consumer_runs_the_message_again_once()
    {
        var passes = new List<int>();
        await using var host = await Start(async (context, db) =>
        {
            passes.Add(context.GetRedeliveryCount());
            db.Entries.Add(new Entry { Text = $"pass {passes.Count}" });
            if (context.GetRedeliveryCount() == 0)
                await context.Redeliver(TimeSpan.FromMinutes(5));
        });
        var id = NewId.NextGuid();

        await host.Deliver(id, new Credit("later"));
        await host.Reported.Received.WaitForCount(1);
        var copy = (await host.Outgoing()).ShouldHaveSingleItem();
        var awaited = (await host.Inbox()).ShouldHaveSingleItem();
        (awaited.Pass, awaited.ConsumedAt).ShouldBe((1, null));
        awaited.ExpiresAt.ShouldBe(copy.DueAt!.Value + TimeSpan.FromDays(1), TimeSpan.FromSeconds(5));

        await host.Deliver(id, new Credit("later"));
        await host.DeliverStored(copy);
        await host.DeliverStored(copy);
        await host.Reported.Received.WaitForCount(4);

        passes.ShouldBe([0, 1]);
        (await host.Entries()).ShouldBe(["pass 1", "pass 2"]);
        (await host.Inbox()).ShouldHaveSingleItem().ConsumedAt.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task A_consumer_that_redelivers_and_then_fails_has_not_redelivered()
    {
        await using var host = await Start(async (context, _) =>
        {
            await context.Redeliver(TimeSpan.FromMinutes(5));
            throw new InvalidOperationException("broken");
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Faulted.WaitForCount(1);

        (await host.Outgoing()).ShouldBeEmpty();
        (await host.Inbox()).ShouldBeEmpty();
    }

    /// <summary>What RabbitMQ's <c>Defer</c> and a saga's <c>OnMissingInstance</c> do: MassTransit's own delayed copy, sent in the consumer.</summary>
    [SkippableTheory]
    [InlineData(RedeliveryOptions.None)]
    [InlineData(RedeliveryOptions.ReplaceMessageId)]
    public async Task A_delayed_copy_that_the_consumer_sends_to_its_own_endpoint_is_awaited(RedeliveryOptions options)
    {
        var runs = 0;
        await using var host = await Start(async (context, _) =>
        {
            if (++runs == 1)
                await new MassTransit.Middleware.DelayedMessageRedeliveryContext<Credit>(context, options).ScheduleRedelivery(TimeSpan.FromMinutes(5), null);
        });

        await host.Deliver(NewId.NextGuid(), new Credit("later"));
        await host.Reported.Received.WaitForCount(1);
        (await host.Inbox()).ShouldHaveSingleItem().Pass.ShouldBe(1);

        var copy = (await host.Outgoing()).ShouldHaveSingleItem();
        copy.DueAt.ShouldNotBeNull();
        await host.DeliverStored(copy);
        await host.Reported.Received.WaitForCount(2);
        runs.ShouldBe(2);
    }

    [SkippableFact]
    public async Task Each_pass_is_stored_by_the_intervals_and_the_last_failure_is_final()
    {
        await using var host = await Start(Breaking, new InboxSetUp
        {
            Before = (endpoint, _) =>
            {
                endpoint.UseScheduledRedelivery(r => r.Intervals(TimeSpan.FromMinutes(1), TimeSpan.FromHours(1)));
                endpoint.UseMessageRetry(r => r.Immediate(2));
            },
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        await host.DeliverStored((await host.Outgoing())[^1]);
        await host.Reported.Received.WaitForCount(2);
        var copies = await host.Outgoing();
        copies.Count.ShouldBe(2);
        copies[1].DueAt!.Value.ShouldBe(copies[1].CreatedAt + TimeSpan.FromHours(1), TimeSpan.FromSeconds(1));
        (await host.Inbox()).ShouldHaveSingleItem().Pass.ShouldBe(2);
        host.Reported.Faulted.Count.ShouldBe(0);

        // The first copy comes once more: it is not awaited any longer.
        await host.DeliverStored(copies[0]);
        await host.DeliverStored(copies[1]);
        await host.Reported.Received.WaitForCount(4);
        host.Reported.Faulted.Count.ShouldBe(1);
        (await host.Outgoing()).Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task Only_the_consumer_that_failed_is_run_by_the_redelivery()
    {
        var (handled, runs) = (0, 0);
        var done = new Signal();
        await using var host = await Start(
            async (context, db) =>
            {
                await done.WaitAsync();
                if (++runs == 1)
                    throw new InvalidOperationException("not now");
                await Credit(context, db);
            },
            Redelivering() with
            {
                After = (endpoint, _) => endpoint.Handler<Credit>(_ =>
                {
                    Interlocked.Increment(ref handled);
                    done.Set();
                    return Task.CompletedTask;
                }),
            });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        await host.DeliverStored((await host.Outgoing()).ShouldHaveSingleItem());
        await host.Reported.Received.WaitForCount(2);

        (handled, runs).ShouldBe((1, 2));
        (await host.Inbox()).ShouldAllBe(m => m.ConsumedAt != null);
    }

    [SkippableFact]
    public async Task An_expired_message_is_not_kept_alive_by_its_redelivery()
    {
        await using var host = await Start(Breaking, Redelivering());

        await host.Deliver(NewId.NextGuid(), new Credit("x"), c => c.TimeToLive = TimeSpan.FromMinutes(10));
        await host.Reported.Received.WaitForCount(1);

        var copy = (await host.Outgoing()).ShouldHaveSingleItem();
        copy.ExpiresAt!.Value.ShouldBe(copy.CreatedAt + TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(10));
    }

    [SkippableFact]
    public async Task While_the_database_is_away_the_message_waits_instead_of_failing()
    {
        var outage = new Outage();
        await using var host = await Start(
            (_, _) =>
            {
                outage.On = true;
                throw new InvalidOperationException("not now");
            },
            Redelivering() with { Database = o => o.AddInterceptors(outage) });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await outage.Refused.WaitForCount(2);
        host.Reported.Received.Count.ShouldBe(0, "not acknowledged");

        outage.On = false;
        await host.Reported.Received.WaitForCount(1);
        (await host.Outgoing()).Count.ShouldBe(1);
        (await host.Inbox()).ShouldHaveSingleItem().Pass.ShouldBe(1);
        host.Reported.Faulted.Count.ShouldBe(0);
    }

    [SkippableFact]
    public async Task The_relay_brings_the_message_back_when_it_is_due()
    {
        var passes = new SignalLog<int>();
        await using var host = await Start(
            async (context, db) =>
            {
                passes.Add(context.GetRedeliveryCount());
                await Credit(context, db);
                if (passes.Count < 3)
                    throw new InvalidOperationException("not now");
            },
            new InboxSetUp
            {
                Outbox = o =>
                {
                    o.Options.DeliveryServiceEnabled = true;
                    o.AllowUnrouted<Credited>();
                },
                Before = (endpoint, _) => endpoint.UseDelayedRedelivery(r => r.Intervals(50, 100)),
            });

        await host.Deliver(NewId.NextGuid(), new Credit("third pass"));
        await host.Reported.Received.WaitForCount(3);

        passes.Values.ShouldBe([0, 1, 2]);
        (await host.Entries()).ShouldBe(["third pass"]);
        (await host.Inbox()).ShouldHaveSingleItem().ConsumedAt.ShouldNotBeNull();
        host.Reported.Faulted.Count.ShouldBe(0);
    }

    private static Task Breaking(ConsumeContext<Credit> context, LedgerDb db)
    {
        db.Entries.Add(new Entry { Text = "must not be stored" });
        throw new InvalidOperationException("broken");
    }

    private static InboxSetUp Redelivering() => new()
    {
        Before = (endpoint, _) => endpoint.UseDelayedRedelivery(r => r.Intervals(TimeSpan.FromMinutes(1))),
    };

    private static Dictionary<string, string> Headers(OutboxMessage row)
    {
        using var metadata = JsonDocument.Parse(row.Metadata);
        return metadata.RootElement.GetProperty("headers").EnumerateObject().ToDictionary(h => h.Name, h => h.Value.ToString(), StringComparer.Ordinal);
    }
}

public sealed class SqliteInboxRedeliveryTests() : InboxRedeliveryTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxRedeliveryTests() : InboxRedeliveryTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxRedeliveryTests() : InboxRedeliveryTests(TestDatabase.SqlServerAsync);
