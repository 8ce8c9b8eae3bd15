namespace Outbox.Testing;

/// <summary>A timer of a <see cref="ManualTimeProvider"/>.</summary>
internal sealed class ManualTimer(ManualTimeProvider clock, TimerCallback callback, object? state, long number) : ITimer
{
    // As a real timer's, its callback runs in the context it was created in, not in that of whoever moves the clock.
    private readonly ExecutionContext? _context = ExecutionContext.Capture();
    private bool _disposed;

    /// <summary>By its time, and then by its age.</summary>
    public static IComparer<ManualTimer> Order { get; } =
        Comparer<ManualTimer>.Create((one, other) => (one.DueAt, one.Number).CompareTo((other.DueAt, other.Number)));

    /// <summary>When it fires next, on the monotonic clock; the clock's to set.</summary>
    public TimeSpan DueAt { get; set; }

    public TimeSpan Period { get; private set; }

    private long Number => number;

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        if (_disposed)
            return false;

        Period = period;
        if (dueTime == Timeout.InfiniteTimeSpan)
        {
            clock.Unschedule(this);
        }
        else if (dueTime > TimeSpan.Zero)
        {
            clock.Schedule(this, dueTime);
        }
        else
        {
            // Due at once needs no moving of the clock; on another thread, as with a real timer.
            clock.Unschedule(this);
            if (period > TimeSpan.Zero)
                clock.Schedule(this, period);
            ThreadPool.UnsafeQueueUserWorkItem(static timer => timer.Fire(), this, preferLocal: false);
        }

        return true;
    }

    public void Fire()
    {
        if (_disposed)
            return;
        if (_context is null)
            callback(state);
        else
            ExecutionContext.Run(_context, static timer => ((ManualTimer)timer!).Call(), this);
    }

    public void Dispose()
    {
        _disposed = true;
        clock.Unschedule(this);
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private void Call() => callback(state);
}
