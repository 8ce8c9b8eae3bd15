using System.Diagnostics.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Relaying;

namespace Outbox.Telemetry;

/// <summary>
/// The gauges of an outbox, on the meter <c>Outbox</c>, tagged with the DbContext: <c>outbox.messages</c> by state, and in
/// seconds <c>outbox.backlog.age</c> and <c>outbox.prepared.age</c>.
/// </summary>
/// <remarks>
/// A collector asks synchronously and a database answers later, so an observation gives the last known figures and has
/// them renewed for the next one. Without a collector nothing is queried.
/// </remarks>
internal sealed class OutboxMetrics<TDbContext> : IHostedService, IDisposable
    where TDbContext : DbContext
{
    private readonly IOutboxStatistics<TDbContext> _statistics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Meter _meter;
    private readonly KeyValuePair<string, object?> _context = new("db_context", typeof(TDbContext).Name);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Outage _outage;
    private OutboxStatistics? _last;
    private Task _renewal = Task.CompletedTask;

    public OutboxMetrics(IOutboxStatistics<TDbContext> statistics, TimeProvider time, ILogger<OutboxMetrics<TDbContext>> logger, IMeterFactory? meters = null)
    {
        (_statistics, _time, _logger, _outage) = (statistics, time, logger, new Outage(time));
        _meter = meters?.Create("Outbox") ?? new Meter("Outbox");
        _meter.CreateObservableGauge("outbox.messages", Counts, "{message}", "Messages in the outbox, by state.");
        _meter.CreateObservableGauge("outbox.backlog.age", () => Age(s => s.OldestReadyAt), "s", "The age of the oldest message that could be sent now.");
        _meter.CreateObservableGauge("outbox.prepared.age", () => Age(s => s.OldestPreparedAt), "s", "The age of the oldest half message that is not decided.");
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _renewal.ConfigureAwait(false);
    }

    // The token source holds nothing to give back, and a host that is stopped once more after its disposal (as in a
    // WebApplicationFactory) still cancels it.
    public void Dispose() => _meter.Dispose();

    private IEnumerable<Measurement<long>> Counts()
    {
        Renew();
        return _last is not { } last ? [] :
        [
            new(last.Ready, _context, new("state", "ready")),
            new(last.Waiting, _context, new("state", "waiting")),
            new(last.Holding, _context, new("state", "holding")),
            new(last.Dead, _context, new("state", "dead")),
            new(last.Prepared, _context, new("state", "prepared")),
            new(last.Undecided, _context, new("state", "undecided")),
        ];
    }

    private IEnumerable<Measurement<double>> Age(Func<OutboxStatistics, DateTime?> since)
    {
        if (_last is not { } last)
            return [];
        var age = since(last) is { } oldest ? _time.GetUtcNow().UtcDateTime - oldest : TimeSpan.Zero;
        return [new(Math.Max(0, age.TotalSeconds), _context)];
    }

    private void Renew()
    {
        if (_renewal.IsCompleted && !_stopping.IsCancellationRequested)
            _renewal = Query();

        async Task Query()
        {
            try
            {
                _last = await Task.Run(() => _statistics.Get(_stopping.Token), _stopping.Token).ConfigureAwait(false);
                _outage.Ended();
            }
            catch (Exception) when (_stopping.IsCancellationRequested)
            {
                _last = null;
            }
            catch (Exception exception)
            {
                // A database that is away makes the gauges disappear, which is what an alert should see.
                _last = null;
                if (_outage.Begin())
                    _logger.StatisticsFailed(typeof(TDbContext).Name, exception);
            }
        }
    }
}

internal static partial class OutboxMetricsLog
{
    [LoggerMessage(1401, LogLevel.Warning, "The outbox of {DbContext} could not be counted; its gauges are absent until the database answers.")]
    public static partial void StatisticsFailed(this ILogger logger, string dbContext, Exception exception);
}
