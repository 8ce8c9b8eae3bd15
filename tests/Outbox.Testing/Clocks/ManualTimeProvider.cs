namespace Outbox.Testing;

/// <summary>
/// A clock that moves only when told to, and fires what falls due on the way: <c>Task.Delay</c>,
/// <see cref="PeriodicTimer"/> and every other timer made from it. Thread-safe. As on a real machine there are two
/// clocks, the date (UTC) and the monotonic one; timers follow the monotonic one.
/// </summary>
/// <param name="start">The first date; by default 2026-01-01 00:00 UTC.</param>
public sealed class ManualTimeProvider(DateTimeOffset? start = null) : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly SortedSet<ManualTimer> _timers = new(ManualTimer.Order);
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiters = [];
    private DateTimeOffset _utc = start ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private TimeSpan _monotonic;
    private TimeSpan _target;
    private long _lastTimer;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>How many timers wait for their time.</summary>
    public int PendingTimers
    {
        get
        {
            lock (_gate)
                return _timers.Count;
        }
    }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _utc;
    }

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        lock (_gate)
            return _monotonic.Ticks;
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state, Interlocked.Increment(ref _lastTimer));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves both clocks on and fires, in the order of their times, the timers that fall due until then.</summary>
    /// <remarks>Each fires at its own time: a callback that reads the clock sees when it was due.</remarks>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        TimeSpan target;
        lock (_gate)
        {
            // Of two that move it at the same time each moves it by its own part, though the other is not there yet.
            _target = (_target > _monotonic ? _target : _monotonic) + by;
            target = _target;
        }

        while (NextUntil(target) is { } due)
            due.Fire();
    }

    /// <summary>
    /// Moves the date only, forwards or back, as an administrator or a time server does; or as it looks after a
    /// machine was suspended. No timer fires.
    /// </summary>
    public void AdvanceUtcOnly(TimeSpan by)
    {
        lock (_gate)
            _utc += by;
    }

    /// <summary>Moves the monotonic clock only and fires what falls due: the date stands still, or was set back as fast.</summary>
    public void AdvanceMonotonicOnly(TimeSpan by)
    {
        AdvanceUtcOnly(-by);
        Advance(by);
    }

    /// <summary>Moves both clocks to the next timer and fires it; without a timer, one is waited for.</summary>
    public async Task AdvanceToNextTimerAsync()
    {
        await WaitForTimersAsync(1);
        TimeSpan by;
        lock (_gate)
            by = _timers.Min is { } next ? next.DueAt - _monotonic : TimeSpan.Zero;
        Advance(by);
    }

    /// <summary>
    /// Waits until at least so many timers are pending: until the code under test sleeps, and the clock may move.
    /// </summary>
    /// <exception cref="TimeoutException">They were not within <see cref="Eventually.Limit"/> of real time.</exception>
    public async Task WaitForTimersAsync(int count)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_timers.Count >= count)
                return;
            _waiters.Add((count, reached));
        }

        try
        {
            await reached.Task.WaitAsync(Eventually.Limit, System);
        }
        catch (TimeoutException timeout)
        {
            throw new TimeoutException($"Expected {count} timers to be pending on the manual clock; there are {PendingTimers}.", timeout);
        }
    }

    internal void Schedule(ManualTimer timer, TimeSpan dueTime)
    {
        lock (_gate)
        {
            // The set is sorted by the time, which therefore changes only while the timer is not in it.
            _timers.Remove(timer);
            timer.DueAt = _monotonic + dueTime;
            _timers.Add(timer);
            foreach (var (_, reached) in _waiters.Where(waiter => _timers.Count >= waiter.Count))
                reached.TrySetResult();
            _waiters.RemoveAll(waiter => waiter.Reached.Task.IsCompleted);
        }
    }

    internal void Unschedule(ManualTimer timer)
    {
        lock (_gate)
            _timers.Remove(timer);
    }

    /// <summary>Moves to the first timer that is due until the target, and takes it; or to the target, and null.</summary>
    private ManualTimer? NextUntil(TimeSpan target)
    {
        lock (_gate)
        {
            var due = _timers.Min is { } first && first.DueAt <= target ? first : null;
            var now = due?.DueAt ?? target;
            if (now > _monotonic)
            {
                _utc += now - _monotonic;
                _monotonic = now;
            }

            if (due is null)
                return null;
            _timers.Remove(due);
            if (due.Period > TimeSpan.Zero)
            {
                due.DueAt += due.Period;
                _timers.Add(due);
            }

            return due;
        }
    }
}
