using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>
/// The work of relaying, pass by pass: write down what the broker answered, read what is ready, start sending it. The
/// broker's answers start further sends by themselves; the loop around it decides when the next pass is due.
/// </summary>
internal sealed class Relay(OutboxOptions options, MessageTable table, Sender sender, TimeProvider time, ILogger logger)
{
    private const int DeleteLimit = 1000;

    private readonly FailurePolicy _policy = new(options);
    private readonly Dictionary<int, PartitionPosition> _positions = [];
    private readonly List<Settled> _unwritten = [];
    private int _rotation;
    private int _pumps;

    public MessageWindow Window { get; } = new(options.MessageDeliveryLimit);

    /// <summary>Raised when the broker has answered and the next pass has something to write or room to read.</summary>
    public WakeUp Answered { get; } = new();

    /// <summary>When the next row enters.</summary>
    public DateTime? NextDue { get; private set; }

    /// <summary>Whether the last read left ready rows behind.</summary>
    public bool HasMore => _positions.Values.Any(p => p.HasMore);

    /// <summary>Whether there is room for another read.</summary>
    public bool HasRoom => Window.Waiting <= options.QueryMessageLimit / 2;

    /// <summary>Takes the partitions that are relayed from now on.</summary>
    public void Own(IEnumerable<int> partitions)
    {
        foreach (var partition in partitions)
            _positions.TryAdd(partition, new PartitionPosition(options.LookBack));
    }

    /// <summary>One pass.</summary>
    /// <param name="read">Whether to look for ready rows.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<RelayPass> RunOnce(bool read, CancellationToken cancellationToken)
    {
        var (sent, failed) = await Write(cancellationToken).ConfigureAwait(false);
        var promoted = 0;
        var found = 0;
        if (read && HasRoom && _positions.Count > 0)
        {
            if (NextDue <= Now)
                promoted = await Promote(cancellationToken).ConfigureAwait(false);
            found = await Read(cancellationToken).ConfigureAwait(false);
        }

        Pump();
        return new RelayPass(sent, failed, promoted, found);
    }

    /// <summary>Starts as many sends as may be on their way.</summary>
    public void Pump()
    {
        // One at a time; who comes meanwhile makes the one that is at it look again.
        if (Interlocked.Increment(ref _pumps) != 1)
            return;
        int seen;
        do
        {
            seen = Volatile.Read(ref _pumps);
            while (Window.Next() is { } message)
                _ = Deliver(message);
        }
        while (Interlocked.Add(ref _pumps, -seen) != 0);
    }

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    private async Task Deliver(StoredMessage message)
    {
        var outcome = await sender.Send(message, static () => true, CancellationToken.None).ConfigureAwait(false);
        Window.Finish(message, outcome, _policy.Holds(message, outcome));
        if (outcome.Kind is OutcomeKind.Interrupted or OutcomeKind.NotStarted)
            logger.SendInterrupted(message.MessageId, outcome.Error);
        Pump();
        if (Window.IsIdle || Window.SettledCount >= DeleteLimit / 2 || (HasRoom && HasMore))
            Answered.Raise();
    }

    private async Task<(int Sent, int Failed)> Write(CancellationToken cancellationToken)
    {
        _unwritten.AddRange(Window.TakeSettled());
        var failed = _unwritten.Where(s => s.Outcome.Kind is OutcomeKind.Refused or OutcomeKind.Unrouted).ToList();
        if (failed.Count > 0)
        {
            await table.RecordFailures(failed.Select(s => _policy.Of(s.Message, s.Outcome, Now)), cancellationToken).ConfigureAwait(false);
            Written(failed);
            NextDue = Now;
        }

        var sent = 0;
        while (_unwritten.Count > 0)
        {
            var ended = _unwritten.Take(DeleteLimit).ToList();
            await table.Delete([.. ended.Select(s => s.Message.SequenceNumber)], cancellationToken).ConfigureAwait(false);
            Written(ended);
            sent += ended.Count;
        }

        return (sent, failed.Count);
    }

    private void Written(List<Settled> settled)
    {
        Window.Forget(settled.Select(s => s.Message));
        _unwritten.RemoveAll(settled.Contains);
    }

    private async Task<int> Promote(CancellationToken cancellationToken)
    {
        var promoted = await table.Promote(_positions.Keys, Now, cancellationToken).ConfigureAwait(false);
        foreach (var (partition, sequenceNumber) in promoted)
            _positions[partition].GoBack(sequenceNumber);
        return promoted.Count;
    }

    private async Task<int> Read(CancellationToken cancellationToken)
    {
        var now = time.GetElapsedTime(0);
        var reads = Shares.Of(options.QueryMessageLimit, [.. _positions.Select(p => (p.Key, p.Value.HasMore))], _rotation++)
            .Select(s => new PartitionRead(s.Partition, _positions[s.Partition].Start(now), s.Take)).ToList();
        var rows = await table.Read(reads, Window.Known, cancellationToken).ConfigureAwait(false);

        NextDue = rows.NextDue;
        var byPartition = rows.Messages.ToLookup(m => m.Partition);
        foreach (var read in reads)
        {
            var found = byPartition[read.Partition].ToList();
            _positions[read.Partition].Read(found is [.., var last] ? last.SequenceNumber : read.After, rows.IsCut || found.Count >= read.Take, now);
        }

        Window.Add(rows.Messages);
        return rows.Messages.Count;
    }
}

/// <summary>What one pass did.</summary>
internal readonly record struct RelayPass(int Sent, int Failed, int Promoted, int Read);
