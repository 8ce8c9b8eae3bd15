namespace Outbox.Relaying;

/// <summary>What the loop waits for between two passes: a commit in this process, an answer of the broker, a change of the replicas, or a time.</summary>
internal sealed class RelaySignals(WakeUp committed, WakeUp answered, WakeUp changed, TimeProvider time)
{
    private Task? _committed;
    private Task? _answered;
    private Task? _changed;

    /// <summary>Waits for a signal, at most for a time.</summary>
    /// <returns>Whether it was a commit: there are new rows.</returns>
    public async Task<bool> Wait(TimeSpan atMost, CancellationToken cancellationToken)
    {
        _committed ??= committed.WaitAsync(CancellationToken.None);
        _answered ??= answered.WaitAsync(CancellationToken.None);
        _changed ??= changed.WaitAsync(CancellationToken.None);
        if (atMost > TimeSpan.Zero && !_committed.IsCompleted && !_answered.IsCompleted && !_changed.IsCompleted)
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(_committed, _answered, _changed, Task.Delay(WholeMilliseconds(atMost), time, over.Token)).ConfigureAwait(false);
            await over.CancelAsync().ConfigureAwait(false);
        }

        var hasNew = _committed.IsCompleted;
        _committed = hasNew ? null : _committed;
        _answered = _answered.IsCompleted ? null : _answered;
        _changed = _changed.IsCompleted ? null : _changed;
        return hasNew;
    }

    /// <summary>Waits for a time, whatever happens meanwhile.</summary>
    public async Task Pause(TimeSpan duration, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(duration, time, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    /// <summary>A timer drops what is less than a millisecond: it would ring too early, and the loop would spin until the time is there.</summary>
    internal static TimeSpan WholeMilliseconds(TimeSpan duration) => TimeSpan.FromMilliseconds(Math.Ceiling(duration.TotalMilliseconds));
}
