using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Outbox.Checking;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Checking;

/// <summary>A service whose half messages go through all that can befall them, one after the other.</summary>
internal sealed class HalfMessageWorld(TestDatabase database, ShopHost host, ManualTimeProvider time) : IAsyncDisposable
{
    private readonly Dictionary<int, HalfMessageRun> _runs = [];

    public int Runs => _runs.Count;

    public ShopHost Host => host;

    public static async Task<HalfMessageWorld> StartAsync()
    {
        var database = TestDatabase.Sqlite();
        var time = new ManualTimeProvider();
        HalfMessageWorld? world = null;
        var host = await ShopHost.StartAsync(database, o =>
        {
            o.Time = time;
            o.Outbox = outbox => outbox.AddCheckBack<OrderPlaced, Asking>(c => c.CheckBackDelay = TimeSpan.FromTicks(1));
            o.Services = services => services.AddSingleton<Func<HalfMessageWorld>>(() => world!);
            o.WithoutRelay();
        });
        return world = new HalfMessageWorld(database, host, time);
    }

    public async Task Run(int[] order, bool accepted, EveryOrderTests.Operators who, bool relaysAtOnce)
    {
        var run = _runs[_runs.Count + 1] = new HalfMessageRun(this, _runs.Count + 1, accepted);
        var actors = new IEnumerator<Func<Task>>[]
        {
            run.Producer(), run.Check(), who == EveryOrderTests.Operators.Nobody ? run.Check() : run.Operator(who),
        };
        foreach (var actor in order)
        {
            actors[actor].MoveNext().ShouldBeTrue();
            await actors[actor].Current();
            if (relaysAtOnce)
                await run.Relay();
            await run.MustAgree($"{accepted} {who} {relaysAtOnce}: {string.Join("", order)}");
        }

        // Whoever has not come to an end is dead. Another replica checks what is open, and the relay sends.
        await run.Bury();
        await run.LastCheck();
        await run.Relay();
        await run.MustHaveEnded($"{accepted} {who} {relaysAtOnce}: {string.Join("", order)}", who);
    }

    public HalfMessageRun Of(int number) => _runs[number];

    public DateTime Now()
    {
        time.Advance(TimeSpan.FromSeconds(1));
        return time.GetUtcNow().UtcDateTime;
    }

    internal CheckRun NewCheck() => new(
        host.Services.GetRequiredService<OutboxRegistration<ShopDb>>(), host.Services.GetRequiredService<OutboxStore<ShopDb>>(),
        host.Services.GetRequiredService<DecisionInterceptor>(), time, NullLogger.Instance);

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await database.DisposeAsync();
    }

    private sealed class Asking(Func<HalfMessageWorld> world, ShopDb db) : ICheckBack<OrderPlaced>
    {
        public Task<CheckBackAnswer> Check(OrderPlaced message, CancellationToken cancellationToken) => world().Of(message.Number).Answer(db, cancellationToken);

        public Task OperatorDecided(OrderPlaced message, CheckBackAnswer decision, CancellationToken cancellationToken)
            => world().Of(message.Number).Book(db, decision == CheckBackAnswer.Committed);
    }
}

/// <summary>One message, and the provider that knows what became of its payment.</summary>
internal sealed class HalfMessageRun(HalfMessageWorld world, int number, bool accepted)
{
    private readonly List<Signal> _gates = [];
    private readonly List<Task> _checks = [];
    private readonly CancellationTokenSource _death = new();
    private Signal? _asked;
    private Signal? _gate;
    private long _id;
    private bool _charged;
    private bool _closed;
    private int _delivered;
    private OutboxMessageState? _decided;

    public IEnumerator<Func<Task>> Producer()
    {
        AsyncServiceScope scope = default;
        IHalfMessage? half = null;
        var done = false;
        yield return async () =>
        {
            scope = world.Host.Services.CreateAsyncScope();
            half = await scope.ServiceProvider.GetRequiredService<IOutbox<ShopDb>>().Prepare(new OrderPlaced(number));
            var messageId = half.MessageId;
            _id = await world.Host.Query(db => db.OutboxMessages.Where(m => m.MessageId == messageId).Select(m => m.SequenceNumber).SingleAsync());
        };
        yield return () =>
        {
            done = _charged = accepted && !_closed;
            return Task.CompletedTask;
        };
        yield return async () =>
        {
            await using var ending = scope;
            var db = scope.ServiceProvider.GetRequiredService<ShopDb>();
            await Book(db, done);
            if (done)
                half!.Commit();
            else
                half!.Rollback();
            try
            {
                await db.SaveChangesAsync();
            }
            catch (HalfMessageDecidedException) when (done)
            {
                _charged = false;                        // paid back
            }
            catch (HalfMessageDecidedException)
            {
                // An operator knew better.
            }
        };
    }

    public IEnumerator<Func<Task>> Check()
    {
        Signal? gate = null;
        var check = Task.CompletedTask;
        yield return async () =>
        {
            if (_id == 0)
                return;                                  // there is nothing to find yet
            _ = world.Now();
            (_asked, _gate) = (new Signal(), gate = new Signal());
            _gates.Add(gate);
            check = Task.Run(() => world.NewCheck().Run(TheCheckBack, _id, _death.Token));
            _checks.Add(check);
            await Task.WhenAny(_asked.WaitAsync(), check);
        };
        yield return async () =>
        {
            gate?.Set();
            await check;
        };
    }

    public IEnumerator<Func<Task>> Operator(EveryOrderTests.Operators who)
    {
        yield return async () =>
        {
            var messages = world.Host.Services.GetRequiredService<IHalfMessages<ShopDb>>();
            try
            {
                if (who == EveryOrderTests.Operators.Rechecks)
                    await messages.Recheck(_id, "ada");
                else
                    await (who == EveryOrderTests.Operators.Commits ? messages.Commit(_id, "ada") : messages.Rollback(_id, "ada"));
            }
            catch (Exception exception) when (exception is HalfMessageDecidedException or KeyNotFoundException)
            {
                // Too late, or too early.
            }
        };
    }

    /// <summary>The check-back: asks the provider, and closes the door where nothing was paid; then, perhaps late, answers.</summary>
    public async Task<CheckBackAnswer> Answer(ShopDb db, CancellationToken cancellationToken)
    {
        var done = _charged;
        _closed |= !done;
        var gate = _gate!;
        _asked!.Set();
        await gate.WaitAsync(cancellationToken: cancellationToken);
        await Book(db, done);
        return done ? CheckBackAnswer.Committed : CheckBackAnswer.RolledBack;
    }

    /// <summary>The business row: paid, or not.</summary>
    public async Task Book(ShopDb db, bool paid)
    {
        var booked = paid ? number : -number;
        if (!await db.Orders.AnyAsync(o => o.Number == booked))
            db.Add(new Order { Number = booked });
    }

    public async Task Relay()
    {
        if (await State() != OutboxMessageState.Pending)
            return;
        _delivered++;
        await world.Host.Query(db => db.OutboxMessages.Where(m => m.SequenceNumber == _id)
            .ExecuteUpdateAsync(set => set.SetProperty(m => m.State, OutboxMessageState.Committed)));
    }

    public async Task Bury()
    {
        await _death.CancelAsync();
        await Task.WhenAll(_checks);
    }

    public async Task LastCheck()
    {
        if (_id == 0)
            return;
        _ = world.Now();
        (_asked, _gate) = (new Signal(), new Signal());
        _gate.Set();
        await world.NewCheck().Run(TheCheckBack, _id, default);
    }

    public async Task MustAgree(string order)
    {
        var state = await State();
        var isCommitted = state is OutboxMessageState.Pending or OutboxMessageState.Committed;
        var isRolledBack = state == OutboxMessageState.RolledBack;
        var booked = await world.Host.Query(db => db.Orders.Where(o => o.Number == number || o.Number == -number).Select(o => o.Number).ToListAsync());
        booked.ShouldBe(isCommitted ? [number] : isRolledBack ? [-number] : [], order);

        _decided ??= isCommitted ? OutboxMessageState.Committed : isRolledBack ? OutboxMessageState.RolledBack : null;
        (_decided == OutboxMessageState.Committed).ShouldBe(isCommitted, $"{order}: a decision was changed.");
        _delivered.ShouldBeLessThanOrEqualTo(isCommitted ? 1 : 0, order);
    }

    public async Task MustHaveEnded(string order, EveryOrderTests.Operators who)
    {
        if (_id == 0)
            return;                                      // died before it had prepared
        await MustAgree(order);
        _decided.ShouldNotBeNull(order);
        _delivered.ShouldBe(_decided == OutboxMessageState.Committed ? 1 : 0, order);

        // An operator may decide against the provider; nobody else does.
        if (who is EveryOrderTests.Operators.Nobody or EveryOrderTests.Operators.Rechecks)
            _charged.ShouldBe(_decided == OutboxMessageState.Committed, order);
    }

    private CheckBack TheCheckBack => world.Host.Services.GetRequiredService<OutboxRegistration<ShopDb>>().Options.CheckBacks.For(typeof(OrderPlaced))!;

    private async Task<OutboxMessageState?> State() => _id == 0
        ? null
        : await world.Host.Query(db => db.OutboxMessages.Where(m => m.SequenceNumber == _id).Select(m => (OutboxMessageState?)m.State).SingleAsync());
}
