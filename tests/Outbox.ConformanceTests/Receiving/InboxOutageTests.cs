using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
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

    // The server has committed, and the connection died before the answer was here. So the message was never acknowledged, and the
    // broker delivers it once more.
    [SkippableFact]
    public async Task A_message_whose_commit_came_through_and_its_answer_did_not_takes_effect_once()
    {
        await using var suite = new Suite(await Require.PostgresAsync());
        await suite.InitializeAsync();
        await using var broker = await (await Require.RabbitMqAsync()).CreateVirtualHostAsync();
        var direct = new NpgsqlConnectionStringBuilder(suite.ConnectionString);
        await using var toDatabase = TcpProxy.To(direct.Host!, direct.Port);
        await using var toBroker = TcpProxy.To(broker.Address.Host, broker.Address.Port);
        var proxied = new NpgsqlConnectionStringBuilder(suite.ConnectionString) { Host = "127.0.0.1", Port = toDatabase.Port }.ConnectionString;
        var (runs, unanswered) = (new SignalLog<string>(), new Unanswered(toDatabase));
        await using var host = await suite.Start(
            async (context, db) =>
            {
                runs.Add(context.Message.Text);
                await InboxSuite.Credit(context, db);
                unanswered.Next = true;
            },
            new InboxSetUp
            {
                RabbitMq = new UriBuilder(broker.Address) { Port = toBroker.Port }.Uri,
                Database = options => options.UseNpgsql(proxied).AddInterceptors(unanswered),
            });

        await host.Deliver(NewId.NextGuid(), new Credit("x"));
        await runs.WaitForCount(1);
        await using (var here = new LedgerDb(new DbContextOptionsBuilder<LedgerDb>().UseNpgsql(suite.ConnectionString).Options))
            await Eventually.Is(async () => await here.Entries.CountAsync() == 1);
        toBroker.Cut();
        toDatabase.Cut();
        host.Reported.Received.Values.ShouldBeEmpty();      // the answer has not come, and will not
        toDatabase.Resume();
        toDatabase.Restore();
        toBroker.Restore();

        await host.Reported.Received.WaitForCount(1, Eventually.Limit * 2);
        runs.Count.ShouldBe(1);
        (await host.Entries()).ShouldBe(["x"]);
        (await host.Outgoing()).ShouldHaveSingleItem();
        (await host.Inbox()).ShouldHaveSingleItem().ConsumedAt.ShouldNotBeNull();
        await Eventually.Is(async () => await broker.FindQueueAsync("inbox") is { Messages: 0 });
        (await broker.FindQueueAsync("inbox_error")).ShouldBeNull();
    }

    /// <summary>Holds back the database's answer to a commit.</summary>
    private sealed class Unanswered(TcpProxy proxy) : DbTransactionInterceptor
    {
        public bool Next { get; set; }

        public override ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            if (Next)
                proxy.Stall(TcpDirection.ToClient);
            Next = false;
            return ValueTask.FromResult(result);
        }
    }

    private sealed class Suite(PostgresServer server) : InboxSuite(() => TestDatabase.PostgresAsync(server)), IAsyncDisposable
    {
        public string ConnectionString => Database.ConnectionString;

        async ValueTask IAsyncDisposable.DisposeAsync() => await DisposeAsync();
    }
}
