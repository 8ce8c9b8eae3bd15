using System.Data.Common;
using Microsoft.Extensions.Logging;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>
/// The work of relaying, pass by pass: keep the right to send, write down what the broker answered, read what is ready.
/// The sends go on between the passes; the loop around it decides when the next pass is due.
/// </summary>
internal sealed class Relay(
    OutboxOptions options, Membership membership, Ownership ownership, BrokerLink link, MessageWindow window, Dispatch dispatch,
    Settlement settlement, Reading reading, Keeping keeping, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan StartPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan InspectPeriod = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StopStep = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan StartUp = TimeSpan.FromSeconds(2);

    private TimeSpan _inspectAt = TimeSpan.MinValue;
    private TimeSpan _pollAt = TimeSpan.MinValue;
    private TimeSpan _claimAt = TimeSpan.MinValue;
    private TimeSpan? _settledSince;
    private TimeSpan? _brokerLostAt;
    private bool _brokerReported;
    private bool _refused;

    /// <summary>One pass.</summary>
    /// <param name="look">Whether there may be new rows; otherwise they are looked for when it is time.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<RelayPass> RunOnce(bool look, CancellationToken cancellationToken)
    {
        if (Now >= _inspectAt)
        {
            _inspectAt = Now + InspectPeriod;
            dispatch.GiveUpLate();
            if (!link.IsHealthy)
                dispatch.Close();
        }

        if (!await MaySend(cancellationToken).ConfigureAwait(false))
        {
            var (doneMeanwhile, failedMeanwhile) = await settlement.Write(cancellationToken).ConfigureAwait(false);
            return new RelayPass(doneMeanwhile, failedMeanwhile, 0, 0, _brokerReported || _refused ? RetryPause : StartPause);
        }

        var (done, failed) = (0, 0);
        if (IsTimeToWrite())
        {
            (done, failed) = await settlement.Write(cancellationToken).ConfigureAwait(false);
            _settledSince = null;
        }

        await ShareOut(cancellationToken).ConfigureAwait(false);

        var (promoted, read) = (0, 0);
        if (dispatch.HasRoom && (look || failed > 0 || reading.HasMore || Now >= _pollAt || reading.NextDue <= time.GetUtcNow().UtcDateTime))
        {
            (promoted, read) = await reading.Read(cancellationToken).ConfigureAwait(false);
            await keeping.CleanUp(cancellationToken).ConfigureAwait(false);

            // Somebody came or went: that need not wait for the next beat.
            if (reading.Replicas > 0 && reading.Replicas != membership.Alive.Count)
                await membership.BeatOnce(cancellationToken).ConfigureAwait(false);
            _pollAt = Now + (options.QueryDelay * (0.9 + (0.2 * Random.Shared.NextDouble())));
        }

        dispatch.Pump();
        return new RelayPass(done, failed, promoted, read, promoted > 0 ? TimeSpan.Zero : PauseAfterPass());
    }

    /// <summary>The connection was lost: what was known of the tables is out of date.</summary>
    public void Reconnected()
    {
        reading.StartOver();
        ownership.Doubt();
    }

    /// <summary>Finishes what is on its way, writes it down, and gives the partitions back.</summary>
    public async Task Stop(TimeSpan limit, CancellationToken cancellationToken)
    {
        dispatch.Close();
        window.DropWaiting(_ => true);
        var started = time.GetTimestamp();
        while (window.InFlight > 0)
        {
            if (time.GetElapsedTime(started) > limit)
                dispatch.GiveUpAll();
            await Task.Delay(StopStep, time, cancellationToken).ConfigureAwait(false);
        }

        await dispatch.LetGo().ConfigureAwait(false);
        try
        {
            await settlement.Write(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await membership.Leave(cancellationToken).ConfigureAwait(false);
            ownership.Forget();
        }
    }

    private TimeSpan Now => time.GetElapsedTime(0);

    /// <summary>Sees to it that this replica has a term and a way to the broker; without them it rests.</summary>
    private async Task<bool> MaySend(CancellationToken cancellationToken)
    {
        var term = membership.Term;
        if (term is not { IsOver: false })
            dispatch.Close();
        if (dispatch.IsOpen)
            return true;

        // Whatever was on its way ends first: it may be a part of the trouble, and its rows are still this replica's. What
        // is interrupted goes back to those that wait, and is forgotten with them.
        if (window.InFlight > 0 || dispatch.IsSettling)
            return false;
        await dispatch.LetGo().ConfigureAwait(false);
        if (term is not { IsOver: false })
            Rest();

        var up = await link.IsUp(cancellationToken).ConfigureAwait(false);
        if (up && !_brokerReported && dispatch.Break is { } broken and not SendWithheldException)
            logger.Interrupted(broken);
        ReportBroker(up);
        if (!up)
        {
            await GiveUpPartitions(cancellationToken).ConfigureAwait(false);
            return false;
        }

        if (term is not { IsOver: false })
        {
            Rest();        // it may have ended while the broker was asked
            _refused = !await membership.Join(cancellationToken).ConfigureAwait(false);
            if (_refused)
                return false;
            term = membership.Term!;
            _claimAt = Now;
        }

        // Before anything is read, whichever way led here: the last try may have failed at this very statement.
        await keeping.Redeliver(cancellationToken).ConfigureAwait(false);
        dispatch.Open(term);
        return true;
    }

    /// <summary>The broker is away: another replica may have a way to it, so this one is no longer counted among them.</summary>
    private async Task GiveUpPartitions(CancellationToken cancellationToken)
    {
        if (membership.Term is not { IsOver: false })
            return;
        await settlement.Write(cancellationToken).ConfigureAwait(false);
        await membership.Leave(cancellationToken).ConfigureAwait(false);
        Rest();
    }

    private void Rest()
    {
        ownership.Forget();
        reading.Follow([]);
        window.Clear();
    }

    private async Task ShareOut(CancellationToken cancellationToken)
    {
        if (await ownership.Share(membership.Term!, membership.Alive, cancellationToken).ConfigureAwait(false))
            _claimAt = Now;
        if (ownership.Leaving.Count > 0)
        {
            window.DropWaiting(ownership.Leaving.Contains);
            settlement.LetGo(ownership.Leaving);
            foreach (var partition in ownership.Leaving.Except(window.Partitions()).ToList())
                await ownership.Release(partition, cancellationToken).ConfigureAwait(false);
        }

        if (!ownership.IsComplete && Now >= _claimAt)
        {
            _claimAt = Now + options.QueryDelay;
            await Claim(cancellationToken).ConfigureAwait(false);
        }

        if (reading.Follow(ownership.Active))
            _pollAt = Now;
    }

    private async Task Claim(CancellationToken cancellationToken)
    {
        try
        {
            if (await ownership.Claim(cancellationToken).ConfigureAwait(false))
                window.DropWaiting(partition => !ownership.Owns(partition));
        }
        catch (DbException)
        {
            // The claim of a replica that was evicted violates the foreign key; the beat tells whether that is it.
            await membership.BeatOnce(cancellationToken).ConfigureAwait(false);
            if (membership.Term is { IsOver: false })
                throw;
        }
    }

    private bool IsTimeToWrite()
    {
        if (window.SettledCount == 0)
            _settledSince = null;
        else
            _settledSince ??= Now;
        return settlement.HasUnwritten || dispatch.HasEnough || Now - _settledSince >= Linger || ownership.Leaving.Count > 0;
    }

    private TimeSpan PauseAfterPass()
    {
        // Without room nothing can be read: the answer that makes room wakes the loop.
        dispatch.IsHungry = reading.HasMore || !dispatch.HasRoom;
        return Pause(
            dispatch.HasRoom, reading.HasMore, window.SettledCount > 0, _pollAt - Now,
            reading.NextDue - time.GetUtcNow().UtcDateTime, options.QueryDelay);
    }

    /// <summary>How long to wait at most for a signal. Never nothing where nothing could be done.</summary>
    internal static TimeSpan Pause(bool hasRoom, bool hasMore, bool hasSettled, TimeSpan untilPoll, TimeSpan? untilDue, TimeSpan queryDelay)
    {
        if (hasRoom && hasMore)
            return TimeSpan.Zero;
        var pause = hasRoom ? untilPoll : queryDelay;
        if (hasRoom && untilDue < pause)
            pause = untilDue > TimeSpan.Zero ? untilDue.Value : Linger;      // due, and passed over: somebody is cancelling it at this moment
        if (hasSettled && Linger < pause)
            pause = Linger;
        return pause > TimeSpan.Zero ? pause : TimeSpan.Zero;
    }

    /// <summary>Each outage is reported once, and its end; a bus that is just starting is none.</summary>
    private void ReportBroker(bool up)
    {
        if (up && _brokerReported)
            logger.BrokerBack(Now - _brokerLostAt!.Value);
        if (up)
            (_brokerLostAt, _brokerReported) = (null, false);

        _brokerLostAt ??= up ? null : Now;
        if (_brokerLostAt is { } lost && !_brokerReported && Now - lost >= StartUp)
        {
            _brokerReported = true;
            logger.BrokerLost(link.Failure ?? dispatch.Break);
        }
    }
}

/// <summary>What one pass did.</summary>
/// <param name="Done">Rows that are done with.</param>
/// <param name="Failed">Sends that failed.</param>
/// <param name="Promoted">Rows that became ready because they were due.</param>
/// <param name="Read">Rows read.</param>
/// <param name="Pause">How long to wait at most before the next pass.</param>
internal readonly record struct RelayPass(int Done, int Failed, int Promoted, int Read, TimeSpan Pause);
