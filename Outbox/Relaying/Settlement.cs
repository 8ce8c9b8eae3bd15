using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>
/// Writes down what the broker answered. What could not be written yet stays in memory: a confirmed row is deleted as
/// soon as the database is back, whoever owns its partition then.
/// </summary>
internal sealed class Settlement(MessageWindow window, MessageTable table, FailurePolicy policy, Keeping keeping, TimeProvider time, ILogger logger)
{
    private const int DeleteLimit = 1000;

    private readonly List<Settled> _done = [];
    private readonly List<Settled> _failed = [];
    private bool _oneByOne;

    /// <summary>Whether a write failed and is to be repeated.</summary>
    public bool HasUnwritten => _done.Count + _failed.Count > 0;

    /// <summary>Writes everything that has come to an end.</summary>
    /// <returns>How many rows are done with, and how many sends failed.</returns>
    public async Task<(int Done, int Failed)> Write(CancellationToken cancellationToken)
    {
        foreach (var settled in window.TakeSettled())
            (settled.Outcome.IsDone ? _done : _failed).Add(settled);

        // First what was confirmed: however the failures are taken, that is not sent twice.
        var done = 0;
        for (; _done.Count > 0; done += await WriteDone(cancellationToken).ConfigureAwait(false))
        {
        }

        var failed = _failed.Count;
        while (_failed.Count > 0)
            await WriteFailed(cancellationToken).ConfigureAwait(false);
        return (done, failed);
    }

    /// <summary>Writes the failures down together; when the database has refused them together, one by one, so that one harms no other.</summary>
    private async Task WriteFailed(CancellationToken cancellationToken)
    {
        var some = _failed.Take(_oneByOne ? 1 : DeleteLimit).ToList();
        _failed.RemoveRange(0, some.Count);
        try
        {
            var now = time.GetUtcNow().UtcDateTime;
            var failures = some.ConvertAll(f => policy.Of(f.Message, f.Outcome, now));
            await table.RecordFailures(failures, cancellationToken).ConfigureAwait(false);
            Report(some, failures);
            window.Forget(some.Select(f => f.Message));
            _oneByOne &= _failed.Count > 0;
        }
        catch
        {
            _failed.AddRange(some);                        // behind the others: they are next
            _oneByOne = true;
            throw;
        }
    }

    private async Task<int> WriteDone(CancellationToken cancellationToken)
    {
        var some = _done.Take(DeleteLimit).ToList();
        var fates = some.ToLookup(FateOf, s => s.Message.SequenceNumber);
        if (fates[Fate.Kept].ToList() is { Count: > 0 } kept)
            await table.Keep(kept, keeping.Now, cancellationToken).ConfigureAwait(false);
        if (fates[Fate.Remembered].ToList() is { Count: > 0 } remembered)
            await table.Settle(remembered, time.GetUtcNow().UtcDateTime, cancellationToken).ConfigureAwait(false);
        if (fates[Fate.Gone].ToList() is { Count: > 0 } gone)
            await table.Delete(gone, cancellationToken).ConfigureAwait(false);
        window.Forget(some.Select(s => s.Message));
        _done.RemoveRange(0, some.Count);

        if (some.Count(s => s.Outcome.Kind == OutcomeKind.Expired) is > 0 and var expired)
            logger.Expired(expired, some.First(s => s.Outcome.Kind == OutcomeKind.Expired).Message.MessageId);
        return some.Count;
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
}
