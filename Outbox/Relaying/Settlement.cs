using System.Data.Common;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>
/// Writes down what the broker answered. What could not be written yet stays in memory: a confirmed row is deleted as
/// soon as the database is back, whoever owns its partition then. A row that the database refuses, though it is there,
/// is set aside and tried again later, and harms no other.
/// </summary>
internal sealed class Settlement(MessageWindow window, MessageTable table, FailurePolicy policy, Keeping keeping, TimeProvider time, ILogger logger)
{
    private const int Limit = 1000;

    // A database that refuses more than so many is as good as away: what it cannot take down must not be sent on and on.
    private const int MostRefused = 100;

    private readonly List<Settled> _done = [];
    private readonly List<Settled> _failed = [];
    private readonly List<Refused> _refused = [];
    private bool _oneByOne;

    /// <summary>Whether a write failed and is to be repeated.</summary>
    public bool HasUnwritten => _done.Count + _failed.Count > 0 || _refused.Exists(IsDue);

    /// <summary>Writes everything that has come to an end.</summary>
    /// <returns>How many rows are done with, and how many sends failed.</returns>
    public async Task<(int Done, int Failed)> Write(CancellationToken cancellationToken)
    {
        foreach (var settled in window.TakeSettled())
            (settled.Outcome.IsDone ? _done : _failed).Add(settled);

        // First what was confirmed: however the failures are taken, that is not sent twice.
        var (done, failed) = (_done.Count, _failed.Count);
        await WriteAll(_done, cancellationToken).ConfigureAwait(false);
        await WriteAll(_failed, cancellationToken).ConfigureAwait(false);
        _oneByOne = false;
        foreach (var refused in _refused.FindAll(IsDue))
            await WriteAgain(refused, cancellationToken).ConfigureAwait(false);
        return (done, failed);
    }

    /// <summary>Forgets what the database refused of these partitions, so that they come to rest: their next owner sends it again.</summary>
    public void LetGo(IReadOnlyCollection<int> partitions)
    {
        foreach (var refused in _refused.FindAll(r => partitions.Contains(r.Settled.Message.Partition)))
        {
            _refused.Remove(refused);
            window.Forget([refused.Settled.Message]);
        }
    }

    /// <summary>Writes them down together; when the database has refused them together, one by one, so that one harms no other.</summary>
    private async Task WriteAll(List<Settled> unwritten, CancellationToken cancellationToken)
    {
        while (unwritten.Count > 0)
        {
            var some = unwritten.Take(_oneByOne ? 1 : Limit).ToList();
            unwritten.RemoveRange(0, some.Count);
            try
            {
                await Write(some, cancellationToken).ConfigureAwait(false);
            }
            catch (DbException refusal) when (some.Count == 1 && _refused.Count < MostRefused && table.Refuses(refusal))
            {
                logger.NotTaken(some[0].Message.MessageId, some[0].Message.SequenceNumber, refusal);
                _refused.Add(new Refused(some[0]) { Again = Now + policy.PauseAfterRefusals(1) });
            }
            catch (Exception exception)
            {
                unwritten.AddRange(some);                  // behind the others: they are next
                _oneByOne = true;
                if (some.Count == 1 || exception is not DbException refusal || !table.Refuses(refusal))
                    throw;
            }
        }
    }

    private async Task WriteAgain(Refused refused, CancellationToken cancellationToken)
    {
        try
        {
            await Write([refused.Settled], cancellationToken).ConfigureAwait(false);
            _refused.Remove(refused);
        }
        catch (DbException refusal) when (table.Refuses(refusal))
        {
            refused.Again = Now + policy.PauseAfterRefusals(++refused.Times);
        }
    }

    private Task Write(List<Settled> some, CancellationToken cancellationToken)
        => some[0].Outcome.IsDone ? WriteDone(some, cancellationToken) : WriteFailed(some, cancellationToken);

    private async Task WriteFailed(List<Settled> some, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var failures = some.ConvertAll(f => policy.Of(f.Message, f.Outcome, now));
        await table.RecordFailures(failures, cancellationToken).ConfigureAwait(false);
        Report(some, failures);
        window.Forget(some.Select(f => f.Message));
    }

    private async Task WriteDone(List<Settled> some, CancellationToken cancellationToken)
    {
        var fates = some.ToLookup(FateOf, s => s.Message.SequenceNumber);
        if (fates[Fate.Kept].ToList() is { Count: > 0 } kept)
            await table.Keep(kept, keeping.Now, cancellationToken).ConfigureAwait(false);
        if (fates[Fate.Remembered].ToList() is { Count: > 0 } remembered)
            await table.Settle(remembered, time.GetUtcNow().UtcDateTime, cancellationToken).ConfigureAwait(false);
        if (fates[Fate.Gone].ToList() is { Count: > 0 } gone)
            await table.Delete(gone, cancellationToken).ConfigureAwait(false);
        window.Forget(some.Select(s => s.Message));

        if (some.Count(s => s.Outcome.Kind == OutcomeKind.Expired) is > 0 and var expired)
            logger.Expired(expired, some.First(s => s.Outcome.Kind == OutcomeKind.Expired).Message.MessageId);
    }

    private Fate FateOf(Settled settled)
        => keeping.IsOn && settled.Outcome.Kind == OutcomeKind.Confirmed ? Fate.Kept
            : settled.Message.IsHalf ? Fate.Remembered
            : Fate.Gone;

    private enum Fate
    {
        Gone,

        /// <summary>With its body, since it may have to be sent again.</summary>
        Kept,

        /// <summary>Without its body, since its half message may be decided once more.</summary>
        Remembered,
    }

    /// <summary>One line for each kind of failure, however many messages there are of it; repetitions are not news.</summary>
    private void Report(List<Settled> some, List<Failure> failures)
    {
        foreach (var kind in some.Zip(failures).GroupBy(f => (f.First.Outcome.Kind, f.Second.State)))
        {
            var (settled, failure) = kind.First();
            if (kind.Key.State == OutboxMessageState.Dead)
                logger.Died(kind.Count(), settled.Message.MessageId, settled.Message.DestinationAddress, failure.Attempts + failure.Returns, settled.Outcome.Error);
            else if (kind.Any(f => f.First.Message is { Attempts: 0, Returns: 0 }))
                logger.NotSent(kind.Count(), settled.Message.MessageId, settled.Message.DestinationAddress, kind.Key.Kind, settled.Outcome.Error);
        }
    }

    private TimeSpan Now => time.GetElapsedTime(0);

    private bool IsDue(Refused refused) => Now >= refused.Again;

    /// <summary>A row whose end the database refuses to take down.</summary>
    private sealed class Refused(Settled settled)
    {
        public Settled Settled => settled;

        public int Times { get; set; } = 1;

        public TimeSpan Again { get; set; }
    }
}
