using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>
/// For a transport that forgets what it holds when the process dies: what was sent is kept for a while, and sent again
/// when the process starts.
/// </summary>
/// <remarks>
/// The while counts the time that the process runs, over all its runs. So the closing time of a kept row is told by a clock of
/// its own: it goes on where it was read last, and stands while the process is down. The last of the kept rows tells it: its
/// closing time is moved on about once a minute. What a kill takes from it keeps rows a little longer, never shorter.
/// </remarks>
internal sealed class Keeping(OutboxRegistration registration, MessageTable table, TimeProvider time)
{
    private const int BatchSize = 1000;
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan DrainPeriod = TimeSpan.FromSeconds(1);

    private readonly long _started = time.GetTimestamp();
    private readonly TimeSpan? _window = registration.Options.KeepDelivered;
    private DateTime? _before;
    private long? _lastOfBefore;
    private bool _redelivered;
    private (long Id, DateTime Since)? _hand;
    private TimeSpan _next;

    /// <summary>Whether confirmed rows are kept.</summary>
    public bool IsOn => _window is not null;

    /// <summary>What the clock of the kept rows shows.</summary>
    public DateTime Now => (_before ?? time.GetUtcNow().UtcDateTime - Uptime) + Uptime;

    /// <summary>Reads the clock, and makes pending again what was kept before the start. Once, and before the first read.</summary>
    public async Task Redeliver(CancellationToken cancellationToken)
    {
        if (!IsOn || _redelivered)
            return;

        _before ??= (await table.LastClosed(cancellationToken).ConfigureAwait(false) ?? time.GetUtcNow().UtcDateTime) - Uptime;
        if (registration.Options.RedeliverOnStart)
        {
            int redelivered;
            do
                redelivered = await table.Redeliver(BatchSize, cancellationToken).ConfigureAwait(false);
            while (redelivered == BatchSize);

            // With those that a start before this one made pending, and died.
            _lastOfBefore = await table.LastRedelivered(cancellationToken).ConfigureAwait(false);
        }

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
        var (total, deleted) = (0, 0);
        do
        {
            deleted = await table.DeleteKept(Now - window, time.GetUtcNow().UtcDateTime, BatchSize, cancellationToken).ConfigureAwait(false);
            total += deleted;
        }
        while (deleted == BatchSize);
        return total + await MoveHand(window, cancellationToken).ConfigureAwait(false);
    }

    private TimeSpan Uptime => time.GetElapsedTime(_started);

    /// <summary>Writes the time onto the last row. One that stays the last is kept as long as any: as far as this run knows.</summary>
    private async Task<int> MoveHand(TimeSpan window, CancellationToken cancellationToken)
    {
        if (await table.LastKept(cancellationToken).ConfigureAwait(false) is not { } last)
        {
            _hand = null;
            return 0;
        }

        if (_hand is not { } hand || hand.Id != last)
            _hand = hand = (last, Now);
        if (Now - hand.Since >= window)
        {
            var before = Now - window;
            await table.Tell(last, before, cancellationToken).ConfigureAwait(false);
            return await table.DeleteKept(before, time.GetUtcNow().UtcDateTime, BatchSize, cancellationToken).ConfigureAwait(false);
        }

        await table.Tell(last, Now, cancellationToken).ConfigureAwait(false);
        return 0;
    }

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
