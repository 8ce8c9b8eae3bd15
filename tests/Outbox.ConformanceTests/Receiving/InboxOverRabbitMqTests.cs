using MassTransit;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>What another transport could change: how a bus tells about its pipes, and how a stored copy comes back.</summary>
public sealed class InboxOverRabbitMqTests() : InboxSuite(() => Task.FromResult(TestDatabase.Sqlite()))
{
    [SkippableFact]
    public async Task A_redelivery_comes_back_from_the_outbox_and_runs_once()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        var passes = new SignalLog<(int Pass, string Text, string? Colour)>();
        await using var host = await Start(
            async (context, db) =>
            {
                passes.Add((context.GetRedeliveryCount(), context.Message.Text, context.Headers.Get<string>("colour")));
                await Credit(context, db);
                if (context.GetRedeliveryCount() == 0)
                    throw new InvalidOperationException("not now");
                if (context.GetRedeliveryCount() == 1)
                {
                    db.ChangeTracker.Clear();
                    await context.Redeliver(TimeSpan.FromMilliseconds(20));
                }
            },
            new InboxSetUp
            {
                RabbitMq = broker.Address,
                Outbox = o =>
                {
                    o.Options.DeliveryServiceEnabled = true;
                    o.AllowUnrouted<Credited>();
                },
                Before = (endpoint, _) => endpoint.UseScheduledRedelivery(r => r.Intervals(20)),
            });

        await host.Deliver(NewId.NextGuid(), new Credit("x"), c => c.Headers.Set("colour", "green"));
        await passes.WaitForCount(3);
        await host.Reported.Received.WaitForCount(3);

        passes.Values.ShouldBe([(0, "x", "green"), (1, "x", "green"), (2, "x", "green")]);
        (await host.Entries()).ShouldBe(["x"]);
        (await host.Inbox()).ShouldHaveSingleItem().ConsumedAt.ShouldNotBeNull();
        host.Reported.Faulted.Values.ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_retry_of_a_consumer_is_found_here_too()
    {
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();

        var refused = await Should.ThrowAsync<ConfigurationException>(() => Start(setUp: new InboxSetUp
        {
            RabbitMq = broker.Address,
            Bus = x => x.AddConsumer<Retrying>(c => c.UseMessageRetry(r => r.Immediate(1))),
        }));

        refused.ToString().ShouldContain(nameof(Retrying));
    }

    internal sealed class Retrying : IConsumer<Credited>
    {
        public Task Consume(ConsumeContext<Credited> context) => Task.CompletedTask;
    }
}
