using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>One transaction a batch, and a row a message: a duplicate is taken out of the batch before the consumer sees it.</summary>
public abstract class InboxBatchTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task A_batch_is_one_transaction_with_a_row_for_each_message()
    {
        await using var host = await StartBatches(3);

        await Deliver(host, "a", "b", "c");
        await host.Reported.Consumed.WaitForCount(3);

        (await host.Entries()).ShouldBe(["a", "b", "c"], ignoreOrder: true);
        (await host.Outgoing()).Count.ShouldBe(3, "what is published by the messages of the batch is stored with it");
        (await host.Inbox()).Count.ShouldBe(3);
        (await host.Inbox()).ShouldAllBe(m => m.ConsumedAt != null);
        Batches(host).ShouldBe(["a b c"]);
    }

    [SkippableFact]
    public async Task A_duplicate_is_taken_out_of_the_batch()
    {
        await using var host = await StartBatches(3);
        var ids = await Deliver(host, "a", "b", "c");
        await host.Reported.Consumed.WaitForCount(3);

        await host.Deliver(ids[1], new Credit("b"));
        await host.Deliver(NewId.NextGuid(), new Credit("d"));
        await host.Deliver(NewId.NextGuid(), new Credit("e"));
        await host.Reported.Consumed.WaitForCount(6);

        Batches(host).ShouldBe(["a b c", "d e"]);
        (await host.Entries()).ShouldBe(["a", "b", "c", "d", "e"], ignoreOrder: true);
        (await host.Inbox()).Count.ShouldBe(5);
        host.Reported.Faulted.Values.ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_batch_of_duplicates_does_not_reach_the_consumer()
    {
        await using var host = await StartBatches(2);
        var ids = await Deliver(host, "a", "b");
        await host.Reported.Consumed.WaitForCount(2);

        await host.Deliver(ids[0], new Credit("a"));
        await host.Deliver(ids[1], new Credit("b"));
        await host.Reported.Consumed.WaitForCount(4);

        Batches(host).ShouldBe(["a b"]);
        (await host.Entries()).ShouldBe(["a", "b"], ignoreOrder: true);
        host.Reported.Faulted.Values.ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_batch_that_fails_leaves_nothing_and_runs_when_it_is_delivered_again()
    {
        var fails = true;
        await using var host = await StartBatches(2, () => fails);
        var ids = await Deliver(host, "a", "b");
        await host.Reported.Faulted.WaitForCount(2);
        (await host.Entries()).ShouldBeEmpty();
        (await host.Outgoing()).ShouldBeEmpty();
        (await host.Inbox()).ShouldBeEmpty();

        fails = false;
        await host.Deliver(ids[0], new Credit("a"));
        await host.Deliver(ids[1], new Credit("b"));
        await host.Reported.Consumed.WaitForCount(2);

        (await host.Entries()).ShouldBe(["a", "b"], ignoreOrder: true);
    }

    [SkippableFact]
    public async Task What_had_been_consumed_before_does_not_fail_with_its_batch()
    {
        var fails = false;
        await using var host = await StartBatches(2, () => fails);
        var ids = await Deliver(host, "a", "b");
        await host.Reported.Consumed.WaitForCount(2);

        fails = true;
        await host.Deliver(ids[0], new Credit("a"));
        await host.Deliver(NewId.NextGuid(), new Credit("c"));
        await host.Reported.Faulted.WaitForCount(1);
        await host.Reported.Consumed.WaitForCount(3);

        (await host.Entries()).ShouldBe(["a", "b"], ignoreOrder: true);
        host.Reported.Faulted.Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_batch_that_failed_is_redelivered_message_by_message_from_the_outbox()
    {
        var fails = true;
        await using var host = await StartBatches(2, () => fails, e => e.UseDelayedRedelivery(r => r.Interval(1, TimeSpan.FromMinutes(1))));
        await Deliver(host, "a", "b");
        await host.Reported.Received.WaitForCount(2);
        var copies = await host.Outgoing();
        copies.Count.ShouldBe(2);
        (await host.Inbox()).ShouldAllBe(m => m.ConsumedAt == null && m.Pass == 1);

        fails = false;
        foreach (var copy in copies)
            await host.DeliverStored(copy);
        await host.Reported.Received.WaitForCount(4);

        (await host.Entries()).ShouldBe(["a", "b"], ignoreOrder: true);
        (await host.Inbox()).ShouldAllBe(m => m.ConsumedAt != null && m.Pass == 1);
    }

    [SkippableFact]
    public async Task One_message_of_a_batch_is_put_off_and_the_others_are_consumed()
    {
        await using var host = await StartBatches(2);

        var ids = await Deliver(host, "a", BatchConsumer.Later);
        await host.Reported.Consumed.WaitForCount(2);

        (await host.Entries()).ShouldBe(["a"]);
        (await host.Outgoing()).Count(m => m.DueAt != null).ShouldBe(1);
        var inbox = await host.Inbox();
        inbox.Single(m => m.MessageId == ids[0]).ConsumedAt.ShouldNotBeNull();
        var later = inbox.Single(m => m.MessageId == ids[1]);
        later.ConsumedAt.ShouldBeNull();
        later.Pass.ShouldBe(1);
    }

    [SkippableFact]
    public async Task Two_batches_with_the_same_messages_in_opposite_order_run_them_once()
    {
        await using var host = await StartBatches(8, concurrency: 4, limit: TimeSpan.FromSeconds(1));
        var ids = Enumerable.Range(0, 64).Select(_ => NewId.NextGuid()).ToList();

        await Task.WhenAll(ids.Concat(ids.AsEnumerable().Reverse()).Select(id => host.Deliver(id, new Credit(id.ToString()))));
        await host.Reported.Consumed.WaitForCount(128);

        (await host.Entries()).Order(StringComparer.Ordinal).ShouldBe(ids.Select(id => id.ToString()).Order(StringComparer.Ordinal));
        host.Reported.Faulted.Values.ShouldBeEmpty();
    }

    private static async Task<IReadOnlyList<Guid>> Deliver(InboxHost host, params string[] texts)
    {
        var ids = texts.Select(_ => NewId.NextGuid()).ToList();
        foreach (var (id, text) in ids.Zip(texts))
            await host.Deliver(id, new Credit(text));
        return ids;
    }

    private static IReadOnlyList<string> Batches(InboxHost host) => host.Services.GetRequiredService<Seen>().Batches;

    private Task<InboxHost> StartBatches(int size, Func<bool>? fails = null, Action<IReceiveEndpointConfigurator>? endpoint = null, int concurrency = 1, TimeSpan? limit = null)
        => InboxHost.Start(Database, new InboxSetUp
        {
            Before = (e, _) =>
            {
                e.PrefetchCount = 64;
                endpoint?.Invoke(e);
            },
            Bus = x => x.AddConsumer<BatchConsumer>(c => c.Options<BatchOptions>(o => o
                .SetMessageLimit(size).SetTimeLimit(limit ?? TimeSpan.FromSeconds(10)).SetConcurrencyLimit(concurrency))),
            Services = services => services.AddSingleton(new Seen(fails ?? (() => false))),
        });

    internal sealed class Seen(Func<bool> fails)
    {
        private readonly Lock _gate = new();
        private readonly List<string> _batches = [];

        public bool Fails => fails();

        public IReadOnlyList<string> Batches
        {
            get
            {
                lock (_gate)
                    return [.. _batches];
            }
        }

        public void Add(string batch)
        {
            lock (_gate)
                _batches.Add(batch);
        }
    }

    internal sealed class BatchConsumer(LedgerDb db, Seen seen) : IConsumer<Batch<Credit>>
    {
        public const string Later = "later";

        public async Task Consume(ConsumeContext<Batch<Credit>> context)
        {
            foreach (var message in context.Message)
            {
                if (message.Message.Text == Later)
                {
                    await message.Redeliver(TimeSpan.FromMinutes(1));
                    continue;
                }

                db.Entries.Add(new Entry { Text = message.Message.Text });
                await message.Publish(new Credited(message.Message.Text));
            }

            await db.SaveChangesAsync(context.CancellationToken);
            if (seen.Fails)
                throw new InvalidOperationException("As the test says.");
            seen.Add(string.Join(' ', context.Message.Select(m => m.Message.Text).Order(StringComparer.Ordinal)));
        }
    }
}

public sealed class SqliteInboxBatchTests() : InboxBatchTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxBatchTests() : InboxBatchTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxBatchTests() : InboxBatchTests(TestDatabase.SqlServerAsync);
