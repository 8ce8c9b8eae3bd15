using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>A database of its own for each test, and a service that consumes <see cref="Credit"/> as the test says.</summary>
public abstract class InboxSuite(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? _database;

    protected TestDatabase Database => _database ?? throw new InvalidOperationException("The database is created before each test.");

    public async Task InitializeAsync() => _database = await create();

    public async Task DisposeAsync() => await (_database?.DisposeAsync() ?? ValueTask.CompletedTask);

    /// <summary>Writes the entry, and publishes that it was written.</summary>
    internal static async Task Credit(ConsumeContext<Credit> context, LedgerDb db)
    {
        db.Entries.Add(new Entry { Text = context.Message.Text });
        await context.Publish(new Credited(context.Message.Text));
    }

    /// <summary>Starts a service whose consumer does <paramref name="consume"/>.</summary>
    internal Task<InboxHost> Start(Func<ConsumeContext<Credit>, LedgerDb, Task>? consume = null, InboxSetUp? setUp = null, Func<IServiceProvider, Task>? prepare = null)
    {
        setUp ??= new InboxSetUp();
        return InboxHost.Start(Database, setUp with
        {
            Bus = x =>
            {
                x.AddConsumer<CreditConsumer>();
                setUp.Bus(x);
            },
            Services = services =>
            {
                services.AddSingleton(new Consuming(consume ?? Credit));
                setUp.Services(services);
            },
        }, prepare);
    }

    internal sealed record Consuming(Func<ConsumeContext<Credit>, LedgerDb, Task> Run);

    internal sealed class CreditConsumer(LedgerDb db, Consuming consuming) : IConsumer<Credit>
    {
        public Task Consume(ConsumeContext<Credit> context) => consuming.Run(context, db);
    }
}
