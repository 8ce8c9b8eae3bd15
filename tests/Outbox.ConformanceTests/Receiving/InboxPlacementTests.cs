using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>What may stand around an inbox, and what must not stand inside it. No database is asked.</summary>
public sealed class InboxPlacementTests
{
    [Fact]
    public Task Retries_and_redelivery_of_the_endpoint_are_fine_in_any_order()
        => Build(endpoint: (e, context, inbox) =>
        {
            e.UseDelayedRedelivery(r => r.Intervals(1000));
            inbox();
            e.UseMessageRetry(r => r.Immediate(3));
            e.Handler<Credit>(_ => Task.CompletedTask);
            e.Handler<Credit>(_ => Task.CompletedTask);
        });

    [Fact]
    public async Task A_retry_of_a_consumer_is_refused()
        => (await Refused(consumer: c => c.UseMessageRetry(r => r.Immediate(3)))).ShouldContain(nameof(PlainConsumer));

    [Fact]
    public async Task A_retry_at_the_consumer_itself_is_refused()
        => (await Refused(consumer: c => c.ConsumerMessage<Credit>(m => m.UseRetry(r => r.Immediate(3))))).ShouldContain(nameof(PlainConsumer));

    [Fact]
    public async Task A_redelivery_of_a_consumer_is_refused()
        => (await Refused(consumer: c => c.UseDelayedRedelivery(r => r.Intervals(1000)))).ShouldContain(nameof(PlainConsumer));

    [Fact]
    public async Task A_retry_of_a_saga_is_refused()
        => (await Refused(bus: x => x.AddSaga<PlainSaga>(s => s.UseMessageRetry(r => r.Immediate(3))).InMemoryRepository())).ShouldContain(nameof(PlainSaga));

    [Fact]
    public async Task A_retry_of_a_handler_is_refused()
        => (await Refused((e, _, inbox) =>
        {
            inbox();
            e.Handler<Credit>(_ => Task.CompletedTask, h => h.UseMessageRetry(r => r.Immediate(3)));
        })).ShouldContain("on the endpoint inbox");

    [Fact]
    public async Task The_endpoints_retry_runs_inside_an_activity_and_is_refused()
        => (await Refused(
            (e, context, inbox) =>
            {
                inbox();
                e.UseMessageRetry(r => r.Immediate(3));
                e.ConfigureExecuteActivity(context, typeof(PlainActivity));
            },
            bus: x => x.AddExecuteActivity<PlainActivity, PlainArguments>())).ShouldContain(nameof(PlainActivity));

    [Fact]
    public async Task A_second_inbox_on_the_endpoint_is_refused()
        => (await Refused((_, _, inbox) =>
        {
            inbox();
            inbox();
        })).ShouldContain("once for the endpoint");

    [Fact]
    public async Task An_endpoint_needs_the_outbox_of_its_DbContext()
        => (await Refused((e, context, _) => e.UseEntityFrameworkOutbox<OtherDb>(context))).ShouldContain("AddEntityFrameworkOutbox<OtherDb>");

    private static async Task<string> Refused(
        Action<IReceiveEndpointConfigurator, IRegistrationContext, Action>? endpoint = null,
        Action<IConsumerConfigurator<PlainConsumer>>? consumer = null,
        Action<IBusRegistrationConfigurator>? bus = null)
    {
        Exception? exception = await Should.ThrowAsync<ConfigurationException>(() => Build(endpoint, consumer, bus));
        var messages = "";
        for (; exception is not null; exception = exception.InnerException)
            messages += exception.Message + "\n";
        return messages;
    }

    private static async Task Build(
        Action<IReceiveEndpointConfigurator, IRegistrationContext, Action>? endpoint = null,
        Action<IConsumerConfigurator<PlainConsumer>>? consumer = null,
        Action<IBusRegistrationConfigurator>? bus = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddDbContext<LedgerDb>(o => o.UseSqlite("Data Source=:memory:"));
        services.AddMassTransit(x =>
        {
            x.DisableUsageTelemetry();
            x.AddEntityFrameworkOutbox<LedgerDb>();
            x.AddConsumer<PlainConsumer>(c => consumer?.Invoke(c));
            bus?.Invoke(x);
            x.UsingInMemory((context, cfg) => cfg.ReceiveEndpoint("inbox", e =>
            {
                if (endpoint is null)
                    e.UseEntityFrameworkOutbox<LedgerDb>(context);
                endpoint?.Invoke(e, context, () => e.UseEntityFrameworkOutbox<LedgerDb>(context));
                e.ConfigureConsumers(context);
                e.ConfigureSagas(context);
            }));
        });
        await using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<IBusControl>();
    }

    private sealed class OtherDb(DbContextOptions<OtherDb> options) : DbContext(options);

    internal sealed class PlainConsumer : IConsumer<Credit>
    {
        public Task Consume(ConsumeContext<Credit> context) => Task.CompletedTask;
    }

    internal sealed class PlainSaga : ISaga, InitiatedBy<Begin>
    {
        public Guid CorrelationId { get; set; }

        public Task Consume(ConsumeContext<Begin> context) => Task.CompletedTask;
    }

    public sealed record Begin(Guid CorrelationId) : CorrelatedBy<Guid>;

    public sealed class PlainArguments;

    internal sealed class PlainActivity : IExecuteActivity<PlainArguments>
    {
        public Task<ExecutionResult> Execute(ExecuteContext<PlainArguments> context) => Task.FromResult(context.Completed());
    }
}
