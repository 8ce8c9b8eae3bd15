using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>
/// For a transport that forgets what it holds when the process dies: what was sent is kept for a while, and sent again
/// when the process starts.
/// </summary>
/// <remarks>
/// The while counts the time that the process runs. A row's closing time is therefore told by the monotonic clock, from
/// the start on; a row of an earlier run is as young as this run.
/// </remarks>
internal sealed class Keeping(OutboxRegistration registration, MessageTable table, TimeProvider time)
{
    private const int BatchSize = 1000;
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan DrainPeriod = TimeSpan.FromSeconds(1);

    private readonly long _started = time.GetTimestamp();
    private readonly DateTime _startedAt = time.GetUtcNow().UtcDateTime;
    private readonly TimeSpan? _window = registration.Options.KeepDelivered;
    private long? _lastOfBefore;
    private bool _redelivered = !registration.Options.RedeliverOnStart;
    private TimeSpan _next;

    /// <summary>Whether confirmed rows are kept.</summary>
    public bool IsOn => _window is not null;

    /// <summary>The time (UTC), as far as kept rows are concerned.</summary>
    public DateTime Now => _startedAt + Uptime;

    /// <summary>Makes pending again what was kept before the start. Once, and before the first read.</summary>
    public async Task Redeliver(CancellationToken cancellationToken)
    {
        if (_redelivered)
            return;
        _lastOfBefore = await table.Redeliver(cancellationToken).ConfigureAwait(false);
        _redelivered = true;
    }

    /// <summary>When it is time: sees whether the start-up redelivery has drained; deletes what was kept long enough.</summary>
    /// <returns>How many rows were deleted.</returns>
    public async Task<int> CleanUp(CancellationToken cancellationToken)
    {
        if (_window is not { } window || Uptime < _next)
            return 0;
        if (!await HasDrained(cancellationToken).ConfigureAwait(false))
        {
            _next = Uptime + DrainPeriod;
            return 0;
        }

        _next = Uptime + (window < Period ? window : Period);
        if (Uptime < window)
            return 0;
        var (total, deleted) = (0, 0);
        do
        {
            deleted = await table.DeleteKept(Now - window, BatchSize, cancellationToken).ConfigureAwait(false);
            total += deleted;
        }
        while (deleted == BatchSize);
        return total;
    }

    private TimeSpan Uptime => time.GetElapsedTime(_started);

    private async Task<bool> HasDrained(CancellationToken cancellationToken)
    {
        if (registration.StartUpRedelivery.Task.IsCompleted)
            return true;
        if (!_redelivered || (_lastOfBefore is { } last && await table.AnyReadyUpTo(last, cancellationToken).ConfigureAwait(false)))
            return false;
        registration.StartUpRedelivery.TrySetResult();
        return true;
    }
}
