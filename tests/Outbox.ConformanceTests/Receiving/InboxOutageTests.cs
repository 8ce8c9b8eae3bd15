using MassTransit;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>A real server goes away and comes back, with pooled connections that were open before.</summary>
public sealed class InboxOutageTests
{
    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_outlives_an_outage_of_the_database(bool whileConsuming)
    {
        await using var server = await Require.PrivatePostgresAsync();
        await using var suite = new Suite(server);
        await suite.InitializeAsync();
        var runs = new SignalLog<string>();
        var (running, goOn) = (new Signal(), new Signal());
        await using var host = await suite.Start(
            async (context, db) =>
            {
                runs.Add(context.Message.Text);
                if (whileConsuming && runs.Count == 2)
                {
                    running.Set();
                    await goOn.WaitAsync();
                }

                await InboxSuite.Credit(context, db);
            },
            new InboxSetUp { Before = (endpoint, _) => endpoint.UseMessageRetry(r => r.Immediate(1)) });
        await host.Deliver(NewId.NextGuid(), new Credit("before"));
        await host.Reported.Received.WaitForCount(1);

        if (!whileConsuming)
            await server.KillAsync();
        await host.Deliver(NewId.NextGuid(), new Credit("during"));
        if (whileConsuming)
        {
            await running.WaitAsync();
            await server.KillAsync();
            goOn.Set();
            await runs.WaitForCount(2);
        }

        await server.StartAsync();
        await host.Reported.Received.WaitForCount(2);

        host.Reported.Faulted.Values.ShouldBeEmpty();
        (await host.Entries()).ShouldBe(["before", "during"]);
        (await host.Outgoing()).Count.ShouldBe(2);
    }

    private sealed class Suite(PostgresServer server) : InboxSuite(() => TestDatabase.PostgresAsync(server)), IAsyncDisposable
    {
        async ValueTask IAsyncDisposable.DisposeAsync() => await DisposeAsync();
    }
}
