using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>MassTransit's own scheduling inside a consumer is a part of its transaction.</summary>
public abstract class InboxSchedulingTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    private static readonly DateTime NextYear = new(2127, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    [SkippableFact]
    public async Task What_a_consumer_schedules_is_stored_with_its_work()
    {
        var tokens = new List<Guid>();
        await using var host = await Start(async (context, db) =>
        {
            db.Entries.Add(new Entry { Text = "x" });
            tokens.Add((await context.SchedulePublish(NextYear, new Credited("published"))).TokenId);
            tokens.Add((await context.ScheduleSend(new Uri("queue:elsewhere"), NextYear, new Credited("sent"))).TokenId);
            tokens.Add((await context.ScheduleSend(NextYear, new Credited("to itself"))).TokenId);
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);

        var rows = await host.Outgoing();
        rows.Select(r => (r.MessageId, r.DueAt)).ShouldBe(tokens.Select(t => (t, (DateTime?)NextYear)));
        rows.Select(r => r.DestinationAddress.Split('/')[^1].Split('?')[0]).ShouldBe(["urn:message:Outbox.ConformanceTests.Receiving:Credited", "elsewhere", "inbox"]);
        (await host.Inbox()).ShouldHaveSingleItem().ConsumedAt.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task A_consumer_that_fails_has_scheduled_and_cancelled_nothing()
    {
        ScheduledMessage<Credited>? scheduled = null;
        await using var host = await Start(async (context, _) =>
        {
            if (scheduled is null)
            {
                scheduled = await context.SchedulePublish(NextYear, new Credited("stays"));
                return;
            }

            await context.CancelScheduledSend(scheduled);
            await context.SchedulePublish(NextYear, new Credited("goes"));
            throw new InvalidOperationException("broken");
        });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        await host.Deliver(NewId.NextGuid(), new Credit("y"));
        await host.Reported.Faulted.WaitForCount(1);

        (await host.Outgoing()).ShouldHaveSingleItem().MessageId.ShouldBe(scheduled!.TokenId);
    }

    [SkippableTheory]
    [InlineData("send")]
    [InlineData("publish")]
    [InlineData("scope")]
    public async Task A_consumer_takes_back_what_another_scheduled(string way)
    {
        ScheduledMessage<Credited>? scheduled = null;
        await using var host = await Start(
            async (context, _) =>
            {
                if (scheduled is null)
                    scheduled = await context.SchedulePublish(NextYear, new Credited("goes"));
                else if (way == "send")
                    await context.CancelScheduledSend(scheduled);
                else if (way == "publish")
                    await context.GetPayload<MessageSchedulerContext>().CancelScheduledPublish<Credited>(scheduled.TokenId);
                else
                    await context.GetPayload<IServiceProvider>().GetRequiredService<IMessageScheduler>().CancelScheduledPublish<Credited>(scheduled.TokenId);
            },
            new InboxSetUp { Outbox = o => o.UseBusOutbox() });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Received.WaitForCount(1);
        (await host.Outgoing()).Count.ShouldBe(1);
        await host.Deliver(NewId.NextGuid(), new Credit("y"));
        await host.Reported.Received.WaitForCount(2);

        (await host.Outgoing()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Two_consumers_of_one_message_schedule_each_in_its_own_transaction()
    {
        await using var host = await Start(
            async (context, _) =>
            {
                await context.SchedulePublish(NextYear, new Credited("of the one that fails"));
                throw new InvalidOperationException("broken");
            },
            new InboxSetUp
            {
                After = (endpoint, _) => endpoint.Handler<Credit>(context => context.SchedulePublish(NextYear, new Credited("of the other"))),
            });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await host.Reported.Faulted.WaitForCount(1);
        await Eventually.Is(async () => (await host.Outgoing()).Count == 1);

        System.Text.Encoding.UTF8.GetString((await host.Outgoing()).Single().Body).ShouldContain("of the other");
    }

    [SkippableFact]
    public async Task A_sagas_schedule_is_kept_and_its_unscheduling_takes_it_back()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddSagaStateMachine<ReminderMachine, Reminder>().InMemoryRepository(),
        });
        var id = NewId.NextGuid();

        await host.Deliver(NewId.NextGuid(), new Begin(id));
        await host.Reported.Received.WaitForCount(1);
        (await host.Outgoing()).ShouldHaveSingleItem().DueAt.ShouldNotBeNull();

        await host.Deliver(NewId.NextGuid(), new End(id));
        await host.Reported.Received.WaitForCount(2);
        (await host.Outgoing()).ShouldBeEmpty();
    }

    public sealed record Begin(Guid CorrelationId) : CorrelatedBy<Guid>;

    public sealed record End(Guid CorrelationId) : CorrelatedBy<Guid>;

    public sealed record Overdue(Guid CorrelationId) : CorrelatedBy<Guid>;

    public sealed class Reminder : SagaStateMachineInstance
    {
        public Guid CorrelationId { get; set; }

        public string CurrentState { get; set; } = "";

        public Guid? OverdueToken { get; set; }
    }

    public sealed class ReminderMachine : MassTransitStateMachine<Reminder>
    {
        public ReminderMachine()
        {
            InstanceState(r => r.CurrentState);
            Schedule(() => Overdue, r => r.OverdueToken, s => s.Delay = TimeSpan.FromDays(30));
            Initially(When(Begun).Schedule(Overdue, context => new Overdue(context.Saga.CorrelationId)).TransitionTo(Waiting));
            During(Waiting, When(Ended).Unschedule(Overdue).Finalize());
        }

        public State Waiting { get; private set; } = null!;

        public Event<Begin> Begun { get; private set; } = null!;

        public Event<End> Ended { get; private set; } = null!;

        public Schedule<Reminder, Overdue> Overdue { get; private set; } = null!;
    }
}

public sealed class SqliteInboxSchedulingTests() : InboxSchedulingTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxSchedulingTests() : InboxSchedulingTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxSchedulingTests() : InboxSchedulingTests(TestDatabase.SqlServerAsync);
