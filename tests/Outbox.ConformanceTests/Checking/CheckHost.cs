using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MassTransit;
using Outbox.Checking;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>A replica whose checks run when a test says so, on a clock that moves when told to.</summary>
public sealed class CheckHost : IAsyncDisposable
{
    private readonly CheckRounds _rounds;

    private CheckHost(ShopHost shop, ManualTimeProvider time, Answers answers)
    {
        (Shop, Time, Answers) = (shop, time, answers);
        var registration = Registration;
        registration.OwnedPartitions = [.. Enumerable.Range(0, registration.Options.PartitionCount)];
        _rounds = new CheckRounds(
            registration, shop.Services.GetRequiredService<OutboxStore<ShopDb>>(), shop.Services.GetRequiredService<DecisionInterceptor>(),
            time, NullLogger.Instance);
    }

    public ShopHost Shop { get; }

    public ManualTimeProvider Time { get; }

    public Answers Answers { get; }

    public IHalfMessages<ShopDb> Operator => Shop.Services.GetRequiredService<IHalfMessages<ShopDb>>();

    internal OutboxRegistration<ShopDb> Registration => Shop.Services.GetRequiredService<OutboxRegistration<ShopDb>>();

    public static async Task<CheckHost> StartAsync(
        TestDatabase database, Action<IEntityFrameworkOutboxConfigurator>? outbox = null, ManualTimeProvider? time = null, Action<IServiceCollection>? services = null)
    {
        time ??= new ManualTimeProvider();
        var answers = new Answers();
        var shop = await ShopHost.StartAsync(database, o =>
        {
            o.Time = time;
            o.Outbox = outbox ?? (c => c.AddCheckBack<OrderPlaced, ScriptedCheckBack>());
            o.Services = all =>
            {
                all.AddSingleton(answers);
                services?.Invoke(all);
            };
            o.WithoutRelay();
        });
        return new CheckHost(shop, time, answers);
    }

    /// <summary>Prepares a message as a producer that dies right afterwards.</summary>
    public async Task<OutboxMessage> Prepare(int number)
    {
        Guid id = default;
        await Shop.InScope(async (_, outbox) => id = (await outbox.Prepare(new OrderPlaced(number))).MessageId);
        return (await Shop.Rows()).Single(r => r.MessageId == id);
    }

    /// <summary>The row of the only message.</summary>
    public async Task<OutboxMessage> Row() => (await Shop.Rows()).ShouldHaveSingleItem();

    /// <summary>Moves on to the time of the next check, looks, and waits until everything was answered.</summary>
    public async Task CheckNext()
    {
        var due = (await Shop.Rows()).Where(r => r.State == OutboxMessageState.Prepared).Min(r => r.DueAt);
        if (due > Time.GetUtcNow().UtcDateTime)
            Time.Advance(due.Value - Time.GetUtcNow().UtcDateTime + TimeSpan.FromMilliseconds(1));
        await Check();
    }

    /// <summary>Looks, and waits until everything was answered.</summary>
    public async Task Check()
    {
        await Look();
        await _rounds.Running;
    }

    /// <summary>Looks; the checks go on.</summary>
    public Task Look() => _rounds.RunOnce(default);

    public async ValueTask DisposeAsync()
    {
        _rounds.Dispose();
        await Shop.DisposeAsync();
    }
}

/// <summary>What the checkers of a replica answer, and what they were asked.</summary>
public sealed class Answers
{
    public Func<OrderPlaced, ShopDb, CancellationToken, Task<CheckBackAnswer>> To { get; set; } = (_, _, _) => Task.FromResult(CheckBackAnswer.Unknown);

    public SignalLog<(OrderPlaced Message, Guid MessageId)> Asked { get; } = new();

    public CheckBackAnswer Always { set => To = (_, _, _) => Task.FromResult(value); }

    public Exception Throws { set => To = (_, _, _) => Task.FromException<CheckBackAnswer>(value); }
}

public sealed class ScriptedCheckBack(ShopDb db, Answers answers, CheckBackContext context) : ICheckBack<OrderPlaced>
{
    public Task<CheckBackAnswer> Check(OrderPlaced message, CancellationToken cancellationToken)
    {
        answers.Asked.Add((message, context.MessageId));
        return answers.To(message, db, cancellationToken);
    }

    public Task OperatorDecided(OrderPlaced message, CheckBackAnswer decision, CancellationToken cancellationToken)
    {
        db.Add(new Order { Number = decision == CheckBackAnswer.Committed ? message.Number : -message.Number });
        return Task.CompletedTask;
    }
}

/// <summary>The checker of another message type, which always knows.</summary>
public sealed class PackingCheckBack : ICheckBack<PackOrder>
{
    public Task<CheckBackAnswer> Check(PackOrder message, CancellationToken cancellationToken) => Task.FromResult(CheckBackAnswer.Committed);
}
