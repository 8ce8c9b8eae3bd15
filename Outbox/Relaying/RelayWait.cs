namespace Outbox.Relaying;

/// <summary>Waits until a pass is due: a commit in this process, an answer of the broker, or a time.</summary>
internal sealed class RelayWait(WakeUp committed, WakeUp answered, TimeProvider time)
{
    private Task? _committed;
    private Task? _answered;

    /// <summary>Whether there may be rows that were not looked for.</summary>
    public bool ShouldRead { get; private set; } = true;

    public async Task For(TimeSpan atMost, CancellationToken cancellationToken)
    {
        _committed ??= committed.WaitAsync(CancellationToken.None);
        _answered ??= answered.WaitAsync(CancellationToken.None);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var timer = Task.Delay(atMost, time, over.Token);
        await Task.WhenAny(_committed, _answered, timer).ConfigureAwait(false);
        ShouldRead |= _committed.IsCompleted || timer.IsCompleted;
        await over.CancelAsync().ConfigureAwait(false);
        if (_committed.IsCompleted)
            _committed = null;
        if (_answered.IsCompleted)
            _answered = null;
    }

    public void After(RelayPass pass) => ShouldRead = false;
}
