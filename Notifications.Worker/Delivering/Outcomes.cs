namespace Notifications.Delivering;

/// <summary>
/// Writes down what came of attempts: those that end at the same time in one transaction. When one of them does not count, or cannot be
/// stored, each is written down on its own.
/// </summary>
internal sealed class Outcomes
{
    private const int Most = 64;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);

    private readonly GroupCommit<Made> together;
    private readonly IServiceScopeFactory scopes;
    private readonly DatabaseTurns turns;
    private readonly DeliveryMetrics metrics;
    private readonly TimeProvider time;
    private readonly ILogger<Outcomes> logger;

    public Outcomes(
        IServiceScopeFactory scopes, DatabaseTurns turns, DeliveryMetrics metrics, TimeProvider time, ILogger<Outcomes> logger)
    {
        (this.scopes, this.turns, this.metrics, this.time, this.logger) = (scopes, turns, metrics, time, logger);
        together = new GroupCommit<Made>(Most, RecordTogether);
    }

    /// <summary>A database that is away for a moment must not cost a receiver the same call again: the lease is there to be used.</summary>
    public async Task Record(DeliveryWork work, Exchange exchange, CancellationToken cancellationToken)
    {
        var (made, until) = (new Made(work, exchange), work.LeaseUntil);
        for (var pause = FirstPause; ; pause *= 2)
        {
            try
            {
                // Also while this replica is being stopped: otherwise the receiver would be told again.
                var counted = await together.Add(made) || await InScope(rows => RecordAlone(rows, made));
                metrics.Made(exchange, counted);
                logger.Made(work.NotificationId, work.Endpoint.Id, work.Attempt, exchange.Verdict.Outcome, exchange.Answer.StatusCode, exchange.Verdict.State);
                return;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested && time.GetUtcNow().UtcDateTime + pause < until)
            {
                logger.CannotRecord(work.NotificationId, work.Endpoint.Id, work.Attempt, exception);
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private async Task<bool> RecordTogether(IReadOnlyList<Made> made)
    {
        try
        {
            return await InScope(async rows =>
            {
                await TellEndpoints(rows, made);
                await rows.Record(made, CancellationToken.None);
                return true;
            });
        }
        catch (Exception exception)
        {
            logger.NotRecordedTogether(made.Count, exception);
            return false;
        }
    }

    private static async Task<bool> RecordAlone(DeliveryRows rows, Made made)
    {
        await TellEndpoints(rows, [made]);
        return await rows.Record(made.Work, made.Exchange, CancellationToken.None);
    }

    /// <summary>What follows for the endpoints themselves. Not a part of the outcomes: it is true whoever made the attempts.</summary>
    private static async Task TellEndpoints(DeliveryRows rows, IReadOnlyList<Made> made)
    {
        foreach (var one in made.GroupBy(m => m.Work.Endpoint.Id))
        {
            if (one.Max(m => m.Exchange.Verdict.ThrottledUntil) is { } throttled)
            {
                await rows.Throttle(one.First().Work.Endpoint, throttled, CancellationToken.None);
            }

            if (one.FirstOrDefault(m => m.Exchange.Verdict.Outcome == AttemptOutcome.Gone) is { } gone)
            {
                await rows.Disable(gone.Work.Endpoint, gone.Exchange.Verdict.Error!, CancellationToken.None);
            }
        }
    }

    private async Task<bool> InScope(Func<DeliveryRows, Task<bool>> work)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await turns.Run(() => work(scope.ServiceProvider.GetRequiredService<DeliveryRows>()), CancellationToken.None);
    }
}

/// <summary>An attempt that was made, and what came of it.</summary>
internal sealed record Made(DeliveryWork Work, Exchange Exchange);
