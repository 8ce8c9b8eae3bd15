using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>What the inbox stands in front of: consumers, sagas, state machines, handlers, activities; each with the outbox of its endpoint.</summary>
public abstract class InboxCoverageTests(Func<Task<TestDatabase>> create) : InboxSuite(create)
{
    [SkippableFact]
    public async Task A_handler_is_covered()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Endpoints = (bus, context) => bus.ReceiveEndpoint("handled", e =>
            {
                e.UseEntityFrameworkOutbox<LedgerDb>(context);
                e.Handler<Credit>(async c => await c.Publish(new Credited(c.Message.Text)));
            }),
        });

        await DeliverTwice(host, "handled", new Credit("x"));

        (await host.Outgoing()).Count.ShouldBe(1);
        (await host.Inbox()).Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_saga_is_covered()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddSaga<AccountSaga>().InMemoryRepository(),
        });

        await DeliverTwice(host, "inbox", new Opened(NewId.NextGuid()));

        (await host.Outgoing()).ShouldHaveSingleItem().MessageType.ShouldContain(nameof(Credited));
    }

    [SkippableFact]
    public async Task A_state_machine_is_covered()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddSagaStateMachine<AccountMachine, AccountState>().InMemoryRepository(),
        });

        await DeliverTwice(host, "inbox", new Opened(NewId.NextGuid()));

        (await host.Outgoing()).ShouldHaveSingleItem().MessageType.ShouldContain(nameof(Credited));
    }

    [SkippableFact]
    public async Task An_activity_is_covered()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddExecuteActivity<CreditActivity, CreditArguments>(),
            Endpoints = (bus, context) => bus.ReceiveEndpoint("activity", e =>
            {
                e.UseEntityFrameworkOutbox<LedgerDb>(context);
                e.ConfigureExecuteActivity(context, typeof(CreditActivity));
            }),
        });
        var slip = new RoutingSlipBuilder(NewId.NextGuid());
        slip.AddActivity("activity", new Uri("queue:activity"));

        await DeliverTwice(host, "activity", slip.Build());

        (await host.Entries()).ShouldBe(["by activity"]);
        (await host.Outgoing()).ShouldContain(m => m.MessageType.Contains("RoutingSlipCompleted", StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task The_scopes_outbox_is_the_consumers()
    {
        await using var host = await Start(setUp: new InboxSetUp
        {
            Bus = x => x.AddConsumer<ByTypedOutbox>(),
        });

        await DeliverTwice(host, "inbox", new Credited("x"));

        var row = (await host.Outgoing()).ShouldHaveSingleItem();
        row.MessageType.ShouldContain(nameof(Credit));
        row.ConversationId.ShouldNotBeNull();
    }

    [SkippableFact]
    public async Task Endpoints_of_one_bus_may_each_have_an_outbox_of_their_own()
    {
        using var file = new SqliteFile();
        await using var host = await Start(setUp: new InboxSetUp
        {
            Services = services => services.AddDbContext<OtherLedgerDb>(o => o.UseSqlite(file.ConnectionString)),
            Bus = x => x.AddEntityFrameworkOutbox<OtherLedgerDb>(o => o.DisableDeliveryService()),
            Endpoints = (bus, context) => bus.ReceiveEndpoint("other", e =>
            {
                e.UseEntityFrameworkOutbox<OtherLedgerDb>(context);
                e.Handler<Credit>(async c => await c.Publish(new Credited("from the other")));
            }),
        },
        prepare: async provider => await provider.GetRequiredService<OtherLedgerDb>().Database.EnsureCreatedAsync());

        await DeliverTwice(host, "other", new Credit("x"));
        await host.Deliver(NewId.NextGuid(), new Credit("y"));
        await host.Reported.Received.WaitForCount(3);

        await using var scope = host.Services.CreateAsyncScope();
        var other = scope.ServiceProvider.GetRequiredService<OtherLedgerDb>();
        (await other.Set<OutboxMessage>().CountAsync()).ShouldBe(1);
        (await other.Set<InboxMessage>().CountAsync()).ShouldBe(1);
        (await host.Outgoing()).Count.ShouldBe(1);
        (await host.Inbox()).Count.ShouldBe(1);
    }

    private static async Task DeliverTwice(InboxHost host, string queue, object message)
    {
        var endpoint = await host.Bus.GetSendEndpoint(new Uri($"queue:{queue}"));
        var id = NewId.NextGuid();
        for (var delivery = 1; delivery <= 2; delivery++)
        {
            await endpoint.Send(message, c => c.MessageId = id);
            await host.Reported.Received.WaitForCount(delivery);
        }

        host.Reported.Faulted.Values.ShouldBeEmpty();
    }

    public sealed record Opened(Guid CorrelationId) : CorrelatedBy<Guid>;

    public sealed class CreditArguments;

    internal sealed class OtherLedgerDb(DbContextOptions<OtherLedgerDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddTransactionalOutboxEntities();
    }

    internal sealed class ByTypedOutbox(IOutbox<LedgerDb> outbox) : IConsumer<Credited>
    {
        public Task Consume(ConsumeContext<Credited> context) => outbox.Send(new Uri("queue:elsewhere"), new Credit("typed"));
    }

    internal sealed class CreditActivity(LedgerDb db) : IExecuteActivity<CreditArguments>
    {
        public Task<ExecutionResult> Execute(ExecuteContext<CreditArguments> context)
        {
            db.Entries.Add(new Entry { Text = "by activity" });
            return Task.FromResult(context.Completed());
        }
    }

    internal sealed class AccountSaga : ISaga, InitiatedBy<Opened>
    {
        public Guid CorrelationId { get; set; }

        public Task Consume(ConsumeContext<Opened> context) => context.Publish(new Credited("opened"));
    }

    internal sealed class AccountState : SagaStateMachineInstance
    {
        public Guid CorrelationId { get; set; }

        public string CurrentState { get; set; } = "";
    }

    internal sealed class AccountMachine : MassTransitStateMachine<AccountState>
    {
        public AccountMachine()
        {
            InstanceState(s => s.CurrentState);
            Initially(When(Opening).Publish(_ => new Credited("opened")).TransitionTo(Open));
        }

        public State Open { get; } = null!;

        public Event<Opened> Opening { get; } = null!;
    }
}

public sealed class SqliteInboxCoverageTests() : InboxCoverageTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class PostgresInboxCoverageTests() : InboxCoverageTests(TestDatabase.PostgresAsync);

public sealed class SqlServerInboxCoverageTests() : InboxCoverageTests(TestDatabase.SqlServerAsync);
