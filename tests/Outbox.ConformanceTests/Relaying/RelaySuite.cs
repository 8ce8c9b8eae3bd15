using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What a relay does with rows, over the transport in this process.</summary>
public abstract class RelaySuite : RelayingShop
{
    [SkippableFact]
    public async Task A_committed_message_is_sent_and_its_row_deleted()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database);

        await Publish(host, 1);

        await Received.WaitForCount(1);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
    }

    [SkippableFact]
    public async Task Everything_the_sender_says_arrives()
    {
        await using var database = await NewDatabase();
        var arrivals = new SignalLog<Arrival>();
        await using var host = await Start(
            database, more: o => o.Bus = bus => bus.AddHandler(async (ConsumeContext<OrderPlaced> context) => arrivals.Add(Arrival.Of(context))));
        var said = new Saying(new Uri("loopback://localhost/"));

        await host.InScope(said.Publish);

        said.ShouldHaveArrived((await arrivals.WaitForCount(1)).Single());
    }

    [SkippableFact]
    public async Task Messages_of_a_key_arrive_in_the_order_of_their_transactions()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.PartitionBy<OrderPlaced>(m => m.Customer));

        for (var number = 0; number < 200; number++)
            await Publish(host, number, customer: $"customer {number % 5}");

        var received = await Received.WaitForCount(200);
        foreach (var customer in received.GroupBy(m => m.Customer, StringComparer.Ordinal))
            customer.Select(m => m.Number).ShouldBeInOrder();
    }

    [SkippableFact]
    public async Task A_message_that_expired_is_deleted_and_not_sent()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, start: false);
        await Publish(host, 1);
        await host.InScope((db, _) => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.ExpiresAt, DateTime.UnixEpoch)));
        await Publish(host, 2);

        await host.StartAsync();

        (await Received.WaitForCount(1)).ShouldHaveSingleItem().Number.ShouldBe(2);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        Received.Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_row_that_is_due_enters_and_one_that_is_not_waits()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, start: false);
        await Publish(host, 1);
        await Change(host, 1, m => m.SetProperty(r => r.DueAt, DateTime.UnixEpoch).SetProperty(r => r.Holds, true));
        await Publish(host, 2);
        await Change(host, 2, m => m.SetProperty(r => r.DueAt, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1)));
        await Publish(host, 3);

        await host.StartAsync();

        (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([1, 3], ignoreOrder: true);
        await Eventually.Is(async () => (await host.Rows()).Count == 1);
        (await host.Rows()).ShouldHaveSingleItem().DueAt.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task A_read_ends_at_a_number_of_bytes_and_takes_a_larger_row_alone()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => o.WithoutRelay());
        for (var number = 1; number <= 4; number++)
            await Publish(host, number);
        await host.InScope((db, _) => db.OutboxMessages.ExecuteUpdateAsync(set => set.SetProperty(m => m.Size, 100).SetProperty(m => m.Partition, 0)));
        await Change(host, 4, m => m.SetProperty(r => r.Size, 1000));
        var options = new OutboxOptions { QueryByteLimit = 250 };
        await using var connection = new RelayConnection(host.Services.GetRequiredService<OutboxStore<ShopDb>>(), options);
        var table = new MessageTable(connection, options);

        async Task<ReadyRows> Read(IEnumerable<long> known) => await table.Read([new PartitionRead(0, 0, 10)], [.. known], [], default);
        var first = await Read([]);
        var second = await Read(first.Messages.Select(m => m.SequenceNumber));
        var third = await Read(first.Messages.Concat(second.Messages).Select(m => m.SequenceNumber));

        (first.Messages.Count, first.IsCut).ShouldBe((2, true));
        (second.Messages.Count, second.IsCut).ShouldBe((1, true));
        (third.Messages.Single().Size, third.IsCut).ShouldBe((1000, false));
    }

    [SkippableFact]
    public async Task Sixteen_writers_lose_nothing_and_every_key_stays_in_order()
    {
        await using var database = await NewDatabase();
        await using var host = await Start(database, o => o.PartitionBy<OrderPlaced>(m => m.Customer));

        await Task.WhenAll(Enumerable.Range(0, 16).Select(async writer =>
        {
            for (var number = 0; number < 20; number++)
                await Publish(host, number, $"writer {writer}");
        }));

        var received = await Received.WaitForCount(320);
        foreach (var writer in received.GroupBy(m => m.Customer, StringComparer.Ordinal))
            writer.Select(m => m.Number).ShouldBe(Enumerable.Range(0, 20));
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
        Received.Count.ShouldBe(320);
    }

    [SkippableFact]
    public async Task What_is_kept_is_sent_again_at_the_next_start_and_deleted_after_its_time()
    {
        await using var database = await NewDatabase();
        await using (var first = await Start(database, Keep(TimeSpan.FromHours(1))))
        {
            await Publish(first, 1);
            await Received.WaitForCount(1);
            await Eventually.Is(async () => (await first.Rows()).SingleOrDefault()?.State == OutboxMessageState.Sent);
        }

        await using (var second = await Start(database, Keep(TimeSpan.FromHours(1))))
        {
            (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([1, 1]);
            await second.Services.GetRequiredService<OutboxRegistration<ShopDb>>().StartUpRedelivery.Task.WaitAsync(Eventually.Limit, TimeProvider.System);
            (await second.Rows()).ShouldHaveSingleItem().State.ShouldBe(OutboxMessageState.Sent);
        }

        await using var third = await Start(database, o =>
        {
            o.Options.KeepDelivered = TimeSpan.FromMilliseconds(100);
            o.QueryDelay = TimeSpan.FromMilliseconds(50);
        });
        await Eventually.Is(async () => (await third.Rows()).Count == 0);
        Received.Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task Another_number_of_partitions_stops_the_application_and_says_how_to_change_it()
    {
        await using var database = await NewDatabase();
        await using (var host = await Start(database))
        {
            await Publish(host, 1);
            await Received.WaitForCount(1);
        }

        await using var other = await Start(database, o => o.Options.PartitionCount = 8);

        var lifetime = other.Services.GetRequiredService<Microsoft.Extensions.Hosting.IHostApplicationLifetime>();
        await Eventually.Is(() => lifetime.ApplicationStopping.IsCancellationRequested);
    }

    [SkippableFact]
    public async Task A_graceful_stop_leaves_no_replica_behind()
    {
        await using var database = await NewDatabase();
        var host = await Start(database);
        await Publish(host, 1);
        await Received.WaitForCount(1);

        await host.StopAsync();

        (await host.Query(db => db.Set<OutboxReplica>().CountAsync())).ShouldBe(0);
        (await host.Query(db => db.Set<OutboxLease>().CountAsync(l => l.Owner != null))).ShouldBe(0);
        await host.DisposeAsync();
    }

    [SkippableFact]
    public async Task A_transport_that_never_ends_a_send_and_a_probe_that_it_was_told_to_give_up_holds_nobody_up()
    {
        await using var database = await NewDatabase();
        var (looks, messages) = (0, 0);
        var never = new TaskCompletionSource();
        using var end = new CancellationTokenSource(Eventually.Limit * 4);
        await using var ending = end.Token.Register(never.SetCanceled);
        await using var host = await ShopHost.StartAsync(database, o =>
        {
            o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => Received.Add(message));
            o.Transport = bus => bus.UsingInMemory((context, cfg) =>
            {
                // The first message is captured and then its sending never ends, nor does the look at the broker that follows,
                // whatever token they have.
                cfg.ConfigurePublish(pipe => pipe.UseExecuteAsync(_ => Interlocked.Increment(ref messages) == 2 ? never.Task : Task.CompletedTask));
                cfg.ConfigureSend(pipe => pipe.UseExecuteAsync(_ => Interlocked.Increment(ref looks) == 2 ? never.Task : Task.CompletedTask));
                cfg.ConfigureEndpoints(context);
            });
        });

        await Publish(host, 1);

        (await Received.WaitForCount(1, Eventually.Limit * 2)).ShouldHaveSingleItem().Number.ShouldBe(1);
        Volatile.Read(ref looks).ShouldBeGreaterThan(2);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);

        // What was left behind may go on, and sends nothing.
        never.SetResult();
        await Publish(host, 2);
        (await Received.WaitForCount(2)).Select(m => m.Number).ShouldBe([1, 2]);
    }

    // As RabbitMQ's client does with a confirmation that it has lost, and MassTransit with the connection: it is replaced when nobody
    // uses it any more.
    [SkippableFact]
    public async Task What_the_transport_holds_on_to_is_let_go_of_before_the_broker_is_asked_for_again()
    {
        await using var database = await NewDatabase();
        var messages = 0;
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await ShopHost.StartAsync(database, o =>
        {
            o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => Received.Add(message));
            o.Transport = bus => bus.UsingInMemory((context, cfg) =>
            {
                cfg.ConfigurePublish(pipe => pipe.UseExecuteAsync(async send =>
                {
                    if (Interlocked.Increment(ref messages) != 2)                       // the first is the capture
                        return;
                    await using var end = send.CancellationToken.Register(letGo.SetResult);
                    await letGo.Task;
                    throw new OperationCanceledException(send.CancellationToken);
                }));
                cfg.ConfigureSend(pipe => pipe.UseExecuteAsync(_ => Volatile.Read(ref messages) < 2 ? Task.CompletedTask : letGo.Task));
                cfg.ConfigureEndpoints(context);
            });
        });

        await Publish(host, 1);

        (await Received.WaitForCount(1, Eventually.Limit * 2)).ShouldHaveSingleItem().Number.ShouldBe(1);
        await Eventually.Is(async () => (await host.Rows()).Count == 0);
    }

    // A queue without a majority, for example. Once it has been on its way when something broke, it goes alone.
    [SkippableFact]
    public async Task A_message_that_is_never_answered_holds_up_its_own_key_only()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o =>
        {
            o.Bus = bus => bus.AddHandler(async (OrderPlaced message) => Received.Add(message));
            o.Outbox = outbox => outbox.Options.MessageDeliveryTimeout = TimeSpan.FromSeconds(1);
        });
        var silence = new Silence();
        var bus = host.Services.GetRequiredService<IBus>();
        bus.ConnectSendObserver(silence);
        bus.ConnectPublishObserver(silence);

        await Publish(host, 1);
        await silence.Unanswered.WaitForCount(2);
        await Publish(host, 2);

        (await Received.WaitForCount(1, Eventually.Limit * 2)).ShouldHaveSingleItem().Number.ShouldBe(2);
        await silence.Unanswered.WaitForCount(3, Eventually.Limit * 2);
        var row = await Eventually.Get(host.Rows, rows => rows.Count == 1);
        (row[0].State, row[0].Attempts).ShouldBe((OutboxMessageState.Pending, 0));
        silence.End();
    }

    /// <summary>The first message that it sees is never answered, however often it is sent.</summary>
    private sealed class Silence : ISendObserver, IPublishObserver
    {
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _gate = new();
        private Guid? _first;

        public SignalLog<Guid> Unanswered { get; } = new();

        public void End() => _end.TrySetResult();

        Task ISendObserver.PreSend<T>(SendContext<T> context) => Hang(context.MessageId);

        Task IPublishObserver.PrePublish<T>(PublishContext<T> context) => Hang(context.MessageId);

        Task ISendObserver.PostSend<T>(SendContext<T> context) => Task.CompletedTask;

        Task ISendObserver.SendFault<T>(SendContext<T> context, Exception exception) => Task.CompletedTask;

        Task IPublishObserver.PostPublish<T>(PublishContext<T> context) => Task.CompletedTask;

        Task IPublishObserver.PublishFault<T>(PublishContext<T> context, Exception exception) => Task.CompletedTask;

        private Task Hang(Guid? messageId)
        {
            lock (_gate)
            {
                if (messageId is not { } id || (_first ??= id) != id)
                    return Task.CompletedTask;
                Unanswered.Add(id);
                return _end.Task;
            }
        }
    }

    private static Action<IEntityFrameworkOutboxConfigurator> Keep(TimeSpan window) => o =>
    {
        o.Options.KeepDelivered = window;
        o.Options.RedeliverOnStart = true;
    };
}
