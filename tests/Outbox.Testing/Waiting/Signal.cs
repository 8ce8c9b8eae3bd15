namespace Outbox.Testing;

/// <summary>Something that happens once: the code under test sets it, the test awaits it; or the other way round, as a gate.</summary>
public sealed class Signal
{
    private readonly TaskCompletionSource _set = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether it was set.</summary>
    public bool IsSet => _set.Task.IsCompleted;

    /// <summary>Lets everybody pass who waits, now and later.</summary>
    public void Set() => _set.TrySetResult();

    /// <summary>Waits until it is set.</summary>
    /// <exception cref="TimeoutException">It was not within the limit (default <see cref="Eventually.Limit"/>).</exception>
    public Task WaitAsync(TimeSpan? limit = null, CancellationToken cancellationToken = default) =>
        _set.Task.WaitAsync(limit ?? Eventually.Limit, TimeProvider.System, cancellationToken);
}
