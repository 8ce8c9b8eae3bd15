using Polly.CircuitBreaker;

namespace Notifications.Delivering;

/// <summary>
/// Makes the first attempts that were stored as taken. Whoever dies before the outcome is written down leaves a lease that ends; when the
/// notifier is stopped, they are finished or given back.
/// </summary>
internal sealed class FirstAttempts(
    Calling calling, Outcomes outcomes, EndpointLanes lanes, IServiceScopeFactory scopes, DatabaseTurns turns, DeliveryMetrics metrics, TimeProvider time,
    ILogger<FirstAttempts> logger)
    : IHostedService, IDisposable
{
    private readonly Lock gate = new();
    private readonly CancellationTokenSource givingUp = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int underWay;
    private bool isStopping;

    /// <summary>Starts attempts whose deliveries are committed.</summary>
    public void Start(IReadOnlyList<FirstAttempt> attempts)
    {
        foreach (var attempt in attempts)
        {
            Count(1);
            _ = Task.Run(() => Make(attempt));   // counted: the stop waits for it
        }
    }

    /// <summary>Their deliveries were not stored.</summary>
    public void Forget(IReadOnlyList<FirstAttempt> attempts)
    {
        foreach (var attempt in attempts)
        {
            lanes.Leave(attempt.Lane, took: null);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        isStopping = true;
        Count(0);
        if (ended.Task.IsCompleted)
        {
            return;                              // also when a host that is gone is stopped once more
        }

        await using var limit = cancellationToken.Register(givingUp.Cancel);
        await ended.Task;
    }

    public void Dispose() => givingUp.Dispose();

    private void Count(int more)
    {
        lock (gate)
        {
            underWay += more;
            if (isStopping && underWay == 0)
            {
                ended.TrySetResult();
            }
        }
    }

    private async Task Make(FirstAttempt attempt)
    {
        try
        {
            var (exchange, back) = await Call(attempt);
            if (exchange is not null)
            {
                await outcomes.Record(attempt.Work, exchange, givingUp.Token);
            }
            else
            {
                await GiveBack(attempt.Work, back);
            }
        }
        catch (Exception exception)
        {
            logger.LeftToTheSweeper(attempt.Work.Id, attempt.Work.Attempt, exception);   // when the lease ends
        }
        finally
        {
            Count(-1);
        }
    }

    /// <returns>What came of it, or when it is to be tried again because it could not be made.</returns>
    private async Task<(Exchange? Made, DateTime Back)> Call(FirstAttempt attempt)
    {
        var (work, lane) = attempt;
        Exchange? exchange = null;
        try
        {
            exchange = await lane.Try(token => calling.Call(work, lane, token), givingUp.Token);
            return (exchange, exchange is null ? lane.Park(null, null, Waited(work)) : default);
        }
        catch (BrokenCircuitException open)
        {
            metrics.Parked("circuit");
            return (null, lane.ParkWhileDown(open.RetryAfter, Waited(work)));   // others have found out meanwhile
        }
        catch (OperationCanceledException) when (givingUp.IsCancellationRequested)
        {
            return (null, time.GetUtcNow().UtcDateTime);   // another replica may make it at once
        }
        finally
        {
            lanes.Leave(lane, exchange is { WasCalled: true } ? exchange.Took : null);
        }
    }

    private async Task GiveBack(DeliveryWork work, DateTime until)
    {
        await using var scope = scopes.CreateAsyncScope();
        var rows = scope.ServiceProvider.GetRequiredService<DeliveryRows>();
        await turns.Run(() => rows.GiveBack(work, until, CancellationToken.None), CancellationToken.None);
    }

    private TimeSpan Waited(DeliveryWork work) => time.GetUtcNow().UtcDateTime - work.UpdatedAt;
}
