using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Telemetry;

namespace Outbox.Checking;

/// <summary>
/// Finds the half messages whose check is due, and has them checked: those of the partitions that this replica owns, and those
/// that have been due for so long that their owner seems to have nobody to ask, or there is no owner.
/// </summary>
internal sealed class CheckRounds : IDisposable
{
    private const int PageSize = 500;
    private const int MostPages = 20;
    private const int MostPaused = 10_000;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    private readonly OutboxRegistration _registration;
    private readonly OutboxStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CheckRun _run;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<CheckBack, CheckQueue> _queues = [];
    private readonly Dictionary<long, TimeSpan> _paused = [];
    private readonly Lock _gate = new();
    private (DateTime Due, long Id) _after;

    public CheckRounds(OutboxRegistration registration, OutboxStore store, DecisionInterceptor interceptor, TimeProvider time, ILogger logger)
    {
        (_registration, _store, _time, _logger) = (registration, store, time, logger);
        _run = new CheckRun(registration, store, interceptor, time, logger);
        foreach (var checkBack in registration.Options.CheckBacks.All)
            _queues[checkBack] = new CheckQueue(checkBack.Options.ConcurrentChecks, id => Check(checkBack, id));
    }

    /// <summary>What runs.</summary>
    public Task Running => Task.WhenAll(_queues.Values.Select(q => q.Running));

    /// <summary>One look. The checks go on by themselves.</summary>
    public async Task RunOnce(CancellationToken cancellationToken)
    {
        foreach (var queue in _queues.Values)
            queue.Clear();                                  // partitions may have changed hands
        var (now, owned) = (_time.GetUtcNow().UtcDateTime, _registration.OwnedPartitions);

        for (var page = 0; page < MostPages; page++)
        {
            var rows = await Read(now, owned, cancellationToken).ConfigureAwait(false);
            foreach (var row in rows)
                await Take(row, cancellationToken).ConfigureAwait(false);

            // The next look goes on where this one ends, so that many rows that cannot be checked now hide no other for ever.
            _after = rows.Count == PageSize ? (rows[^1].DueAt!.Value, rows[^1].SequenceNumber) : default;
            if (rows.Count < PageSize || _queues.Values.All(q => !q.HasRoom))
                return;
        }
    }

    /// <summary>Ends what runs, as soon as it heeds that.</summary>
    public async Task Stop(TimeSpan limit)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        foreach (var queue in _queues.Values)
            queue.Clear();
        await Running.WaitAsync(limit, _time).ConfigureAwait(false);
    }

    public void Dispose() => _stopping.Dispose();

    private TimeSpan Uptime => _time.GetElapsedTime(0);

    private async Task<List<OutboxMessage>> Read(DateTime now, IReadOnlyList<int> owned, CancellationToken cancellationToken)
    {
        // Long enough for the owner to have checked if it could, and for a dead owner's partitions to have another.
        var leftOver = now - (2 * _registration.Options.LeaseTime);
        var (afterDue, afterId) = _after;
        var scope = _store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            var free = await _store.FreeMessages(dbContext, cancellationToken).ConfigureAwait(false);
            var due = free.Where(m => m.State == OutboxMessageState.Prepared && m.DueAt <= now);
            if (afterId > 0)
                due = due.Where(m => m.DueAt > afterDue || (m.DueAt == afterDue && m.SequenceNumber > afterId));
            return await due
                .Where(m => owned.Contains(m.Partition) || m.DueAt <= leftOver)
                .OrderBy(m => m.DueAt).ThenBy(m => m.SequenceNumber)
                .Take(PageSize)
                .Select(m => new OutboxMessage
                {
                    SequenceNumber = m.SequenceNumber, MessageId = m.MessageId, MessageType = m.MessageType, State = m.State, DueAt = m.DueAt,
                    Attempts = m.Attempts, Returns = m.Returns, LastError = m.LastError, History = m.History,
                })
                .ToListAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task Take(OutboxMessage row, CancellationToken cancellationToken)
    {
        if (IsPaused(row.SequenceNumber))
            return;
        if (_registration.Options.CheckBacks.For(row.MessageType) is { } checkBack)
        {
            _queues[checkBack].Add(row.SequenceNumber);
            return;
        }

        Put(row.SequenceNumber);
        _logger.NobodyToAsk(row.MessageId, row.MessageType.Split(';')[0]);
        await _run.NoteStranger(row, cancellationToken).ConfigureAwait(false);
    }

    private async Task<Task> Check(CheckBack checkBack, long id)
    {
        try
        {
            return await _run.Run(checkBack, id, _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            return Task.CompletedTask;
        }
        catch (Exception exception)
        {
            // What came out could not be written down: not again at the very next look.
            Put(id);
            _logger.CheckNotNoted(id, exception);
            return Task.CompletedTask;
        }
    }

    /// <summary>Leaves a message alone for a while.</summary>
    private void Put(long id)
    {
        lock (_gate)
        {
            if (_paused.Count >= MostPaused)
                _paused.Clear();
            _paused[id] = Uptime + Pause;
        }
    }

    private bool IsPaused(long id)
    {
        lock (_gate)
        {
            if (!_paused.TryGetValue(id, out var until))
                return false;
            if (Uptime < until)
                return true;
            _paused.Remove(id);
            return false;
        }
    }
}
