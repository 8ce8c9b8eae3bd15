using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>In-process transport: a message that would end in an error queue in memory is kept as dead by the outbox that sent it.</summary>
public abstract class FaultedDeliveriesTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    private static readonly InboxSetUp Keeping = new() { Outbox = o => o.Options.KeepDelivered = TimeSpan.FromHours(1) };

    [SkippableTheory]
    [InlineData(OutboxMessageState.Sent)]
    [InlineData(OutboxMessageState.Pending)]
    public async Task The_kept_row_of_a_message_that_cannot_be_consumed_is_dead(OutboxMessageState state)
    {
        await using var host = await Start((_, _) => throw new InvalidOperationException("broken for good"), Keeping);
        var (id, other) = (NewId.NextGuid(), NewId.NextGuid());
        await Insert(host, id, state);
        await Insert(host, other, state);

        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        var dead = await Eventually.Get(() => Row(host, id), m => m.State == OutboxMessageState.Dead);
        dead.LastError!.ShouldContain("broken for good");
        dead.ClosedAt.ShouldNotBeNull();
        (await Row(host, other)).State.ShouldBe(state);
    }

    [SkippableFact]
    public async Task Once_requeued_and_sent_again_it_runs()
    {
        var broken = true;
        await using var host = await Start((context, db) => broken ? throw new InvalidOperationException("broken") : Credit(context, db), Keeping);
        var id = NewId.NextGuid();
        await Insert(host, id, OutboxMessageState.Sent);
        await host.Deliver(id, new Credit("x"));
        var dead = await Eventually.Get(() => Row(host, id), m => m.State == OutboxMessageState.Dead);

        broken = false;
        (await host.Services.GetRequiredService<IDeadMessages<LedgerDb>>().Requeue([dead.SequenceNumber])).ShouldBe(1);
        await host.Deliver(id, new Credit("x"));
        await host.Reported.Consumed.WaitForCount(1);

        (await host.Entries()).ShouldBe(["x"]);
    }

    [SkippableFact]
    public async Task What_is_retried_or_redelivered_is_not_given_up()
    {
        var runs = 0;
        await using var host = await Start(
            (_, _) =>
            {
                runs++;
                throw new InvalidOperationException("not now");
            },
            Keeping with
            {
                Before = (endpoint, _) =>
                {
                    endpoint.UseDelayedRedelivery(r => r.Intervals(60_000));
                    endpoint.UseMessageRetry(r => r.Immediate(1));
                },
            });
        var id = NewId.NextGuid();
        await Insert(host, id, OutboxMessageState.Sent);

        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        runs.ShouldBe(2);
        (await Row(host, id)).State.ShouldBe(OutboxMessageState.Sent);
    }

    [SkippableFact]
    public async Task A_last_failed_redelivery_makes_its_own_copy_dead()
    {
        await using var host = await Start(
            (_, _) => throw new InvalidOperationException("broken"),
            Keeping with { Before = (endpoint, _) => endpoint.UseDelayedRedelivery(r => r.Intervals(60_000)) });
        var id = NewId.NextGuid();
        await Insert(host, id, OutboxMessageState.Sent);
        await host.Deliver(id, new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        var copy = (await host.Outgoing()).Single(m => m.DueAt is not null);

        // As the relay leaves it: promoted, sent, kept.
        await host.Read(db => db.Outgoing.Where(m => m.DueAt != null).ExecuteUpdateAsync(set => set
            .SetProperty(m => m.DueAt, (DateTime?)null)
            .SetProperty(m => m.State, OutboxMessageState.Sent)));
        await host.DeliverStored(copy);
        await Eventually.Get(() => Row(host, copy.MessageId), m => m.State == OutboxMessageState.Dead);

        (await Row(host, id)).State.ShouldBe(OutboxMessageState.Sent);
    }

    [SkippableFact]
    public async Task Endpoints_without_an_inbox_are_watched_too()
    {
        await using var host = await Start(setUp: Keeping with
        {
            Endpoints = (bus, _) => bus.ReceiveEndpoint("plain", e => e.Handler<Credited>(_ => throw new InvalidOperationException("broken"))),
        });
        var id = NewId.NextGuid();
        await Insert(host, id, OutboxMessageState.Sent);

        await (await host.Bus.GetSendEndpoint(new Uri("queue:plain"))).Send(new Credited("x"), c => c.MessageId = id);

        await Eventually.Get(() => Row(host, id), m => m.State == OutboxMessageState.Dead);
    }

    [SkippableFact]
    public async Task A_failed_activity_is_an_outcome_of_its_routing_slip_and_not_a_lost_message()
    {
        await using var host = await Start(setUp: Keeping with
        {
            Bus = x => x.AddExecuteActivity<InboxFailureTests.BreakingActivity, InboxFailureTests.BreakingArguments>(),
            Endpoints = (bus, context) => bus.ReceiveEndpoint("breaking", e =>
            {
                e.UseEntityFrameworkOutbox<LedgerDb>(context);
                e.ConfigureExecuteActivity(context, typeof(InboxFailureTests.BreakingActivity));
                e.Handler<Credited>(_ => throw new InvalidOperationException("broken"));
            }),
        });
        var (id, next) = (NewId.NextGuid(), NewId.NextGuid());
        await Insert(host, id, OutboxMessageState.Sent);
        await Insert(host, next, OutboxMessageState.Sent);
        var slip = new RoutingSlipBuilder(NewId.NextGuid());
        slip.AddActivity("breaking", new Uri("queue:breaking"));

        await (await host.Bus.GetSendEndpoint(new Uri("queue:breaking"))).Send(slip.Build(), c => c.MessageId = id);
        await host.Reported.Received.WaitForCount(1);

        host.Reported.Faulted.Count.ShouldBe(1);

        // Whatever was to happen to the first has happened once it has happened to a later one.
        await (await host.Bus.GetSendEndpoint(new Uri("queue:breaking"))).Send(new Credited("x"), c => c.MessageId = next);
        await Eventually.Get(() => Row(host, next), m => m.State == OutboxMessageState.Dead);
        (await Row(host, id)).State.ShouldBe(OutboxMessageState.Sent);
    }

    private static Task<OutboxMessage> Row(InboxHost host, Guid id) => host.Read(db => db.Outgoing.AsNoTracking().SingleAsync(m => m.MessageId == id));

    private static Task<int> Insert(InboxHost host, Guid id, OutboxMessageState state) => host.Read(db =>
    {
        db.Outgoing.Add(new OutboxMessage { MessageId = id, State = state, Body = [1], Size = 1 });
        return db.SaveChangesAsync();
    });
}

public sealed class SqliteFaultedDeliveriesTests() : FaultedDeliveriesTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresFaultedDeliveriesTests() : FaultedDeliveriesTests(TestDatabase.PostgresAsync);

public sealed class SqlServerFaultedDeliveriesTests() : FaultedDeliveriesTests(TestDatabase.SqlServerAsync);
