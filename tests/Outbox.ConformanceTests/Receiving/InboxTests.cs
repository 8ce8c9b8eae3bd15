using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>One transaction a message: the consumer's rows, its messages, and the note that it was consumed.</summary>
public abstract class InboxTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task The_consumers_rows_and_its_messages_are_stored_together()
    {
        await using var host = await Start();

        await host.Deliver(NewId.NextGuid(), new Credit("welcome"));
        await host.Reported.Consumed.WaitForCount(1);

        (await host.Entries()).ShouldBe(["welcome"]);
        (await host.Outgoing()).ShouldHaveSingleItem().MessageType.ShouldContain(nameof(Credited));
        (await host.Inbox()).ShouldHaveSingleItem().ConsumedAt.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task A_message_delivered_again_is_acknowledged_without_running_the_consumer()
    {
        await using var host = await Start();
        var id = NewId.NextGuid();

        await host.Deliver(id, new Credit("once"));
        await host.Deliver(id, new Credit("once"));
        await host.Reported.Received.WaitForCount(2);

        (await host.Entries()).ShouldBe(["once"]);
        (await host.Outgoing()).Count.ShouldBe(1);
        host.Reported.Faulted.Values.ShouldBeEmpty();
        host.Reported.Consumed.Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task The_same_message_is_consumed_once_by_each_consumer()
    {
        var other = 0;
        await using var host = await Start(setUp: new InboxSetUp
        {
            After = (endpoint, _) =>
            {
                endpoint.Handler<Credit>(_ => Count());
                endpoint.Handler<Credit>(_ => Count());
            },
        });
        var id = NewId.NextGuid();

        await host.Deliver(id, new Credit("once"));
        await host.Deliver(id, new Credit("once"));
        await host.Reported.Received.WaitForCount(2);

        other.ShouldBe(2, "each of the two handlers once");
        (await host.Entries()).ShouldBe(["once"]);
        (await host.Inbox()).Select(m => m.ConsumerId).Distinct().Count().ShouldBe(3);

        Task Count()
        {
            Interlocked.Increment(ref other);
            return Task.CompletedTask;
        }
    }

    [SkippableFact]
    public async Task The_bus_is_told_of_the_consumption_after_the_commit()
    {
        InboxHost? running = null;
        var committed = new List<bool>();
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddReceiveObserver(_ => new OnConsumed(async () => committed.Add((await running!.Entries()).Count == 1))),
        });
        running = host;

        await host.Deliver(NewId.NextGuid(), new Credit("told"));
        await host.Reported.Received.WaitForCount(1);

        committed.ShouldBe([true]);
    }

    [SkippableFact]
    public async Task What_a_consumer_sends_carries_the_conversation_on()
    {
        var (conversation, correlation) = (NewId.NextGuid(), NewId.NextGuid());
        await using var host = await Start(async (context, _) =>
        {
            await context.Publish(new Credited("published"), c =>
            {
                c.Headers.Set("colour", "green");
                c.FaultAddress = new Uri("queue:faults");
                c.ResponseAddress = new Uri("queue:answers");
            });
            await context.Send(new Uri("queue:elsewhere"), new Credited("sent"));
        });

        await host.Deliver(NewId.NextGuid(), new Credit("go"), c =>
        {
            c.ConversationId = conversation;
            c.CorrelationId = correlation;
        });
        await host.Reported.Consumed.WaitForCount(1);

        var rows = await host.Outgoing();
        rows.Count.ShouldBe(2);
        rows.ShouldAllBe(m => m.ConversationId == conversation);
        using var published = JsonDocument.Parse(rows[0].Metadata);
        published.RootElement.GetProperty("initiatorId").GetGuid().ShouldBe(correlation);
        published.RootElement.GetProperty("faultAddress").GetString().ShouldEndWith("faults");
        published.RootElement.GetProperty("responseAddress").GetString().ShouldEndWith("answers");
        published.RootElement.GetProperty("headers").GetProperty("colour").GetString().ShouldBe("green");
        published.RootElement.GetProperty("sourceAddress").GetString().ShouldEndWith("inbox");
        rows[1].DestinationAddress.ShouldContain("/elsewhere");
    }

    [SkippableFact]
    public async Task A_response_is_stored_with_the_consumers_rows()
    {
        await using var host = await Start(async (context, db) =>
        {
            db.Entries.Add(new Entry { Text = "asked" });
            await context.RespondAsync(new Credited("answer"));
        });
        var request = NewId.NextGuid();

        await host.Deliver(NewId.NextGuid(), new Credit("ask"), c =>
        {
            c.RequestId = request;
            c.ResponseAddress = new Uri("loopback://localhost/answers");
        });
        await host.Reported.Consumed.WaitForCount(1);

        var answer = (await host.Outgoing()).ShouldHaveSingleItem();
        answer.DestinationAddress.ShouldEndWith("answers");
        using var metadata = JsonDocument.Parse(answer.Metadata);
        metadata.RootElement.GetProperty("requestId").GetGuid().ShouldBe(request);
    }

    [SkippableFact]
    public async Task A_consumer_may_save_by_itself_and_go_on()
    {
        await using var host = await Start(async (context, db) =>
        {
            db.Entries.Add(new Entry { Text = "saved" });
            await context.Publish(new Credited("before"));
            await db.SaveChangesAsync();
            db.Entries.Add(new Entry { Text = "left to the inbox" });
            await context.Publish(new Credited("after"));
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Consumed.WaitForCount(1);

        (await host.Entries()).ShouldBe(["saved", "left to the inbox"]);
        (await host.Outgoing()).Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_consumer_that_begins_a_transaction_hears_that_there_is_one()
    {
        await using var host = await Start(async (_, db) => await db.Database.BeginTransactionAsync());

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        var faulted = await host.Reported.Faulted.WaitForCount(1);

        faulted[0].ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("already in a transaction");
    }

    /// <summary>Npgsql has one transaction object per pooled connection, and gives it out again and again.</summary>
    [SkippableFact]
    public async Task Each_message_sends_under_a_key_of_its_own()
    {
        await using var host = await Start(async (context, _) =>
        {
            await context.Publish(new Credited("one"));
            await context.Publish(new Credited("two"));
        });

        for (var delivery = 1; delivery <= 3; delivery++)
        {
            await host.Deliver(NewId.NextGuid(), new Credit("x"));
            await host.Reported.Received.WaitForCount(delivery);
        }

        var keys = (await host.Outgoing()).GroupBy(m => m.KeyHash).Select(g => g.Count());
        keys.ShouldBe([2, 2, 2]);
    }

    private sealed class OnConsumed(Func<Task> consumed) : IReceiveObserver
    {
        public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class
            => consumed();

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class
            => Task.CompletedTask;

        public Task ReceiveFault(ReceiveContext context, Exception exception) => Task.CompletedTask;
    }
}

public sealed class SqliteInboxTests() : InboxTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxTests() : InboxTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxTests() : InboxTests(TestDatabase.SqlServerAsync);
