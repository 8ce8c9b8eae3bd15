using MassTransit;
using Microsoft.Extensions.Logging;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Relaying;

/// <summary>This replica among the others: it shows that it lives, and notices who does not.</summary>
internal sealed class Membership(RelayConnection connection, DatabaseFileLock file, OutboxOptions options, TimeProvider time, ILogger logger) : IDisposable
{
    private readonly LeaseTable _table = new(connection);
    private readonly BeatWatch _watch = new(options.LeaseTime, 2 * options.BeatPeriod);
    private readonly SemaphoreSlim _gate = new(1);
    private bool _lockMissed;

    /// <summary>The current term; <see langword="null"/> before the first.</summary>
    public Term? Term { get; private set; }

    /// <summary>Who was alive at the last look.</summary>
    public IReadOnlyCollection<Guid> Alive { get; private set; } = [];

    /// <summary>How long until the next beat: sooner than usual when it finds somebody silent for too long, so that nobody waits another beat.</summary>
    public TimeSpan UntilNextBeat => _watch.UntilNext is { } sooner && sooner < options.BeatPeriod ? RelaySignals.WholeMilliseconds(sooner) : options.BeatPeriod;

    /// <summary>Raised when somebody came or went, this replica included.</summary>
    public WakeUp Changed { get; } = new();

    /// <summary>Begins a term.</summary>
    /// <returns>Whether it began; otherwise another process has the database's file.</returns>
    public Task<bool> Join(CancellationToken cancellationToken) => Alone(
        async () =>
        {
            if (await file.TryTake(cancellationToken).ConfigureAwait(false) is { } taken)
            {
                if (!_lockMissed)
                    logger.FileIsLocked(taken.Message);
                _lockMissed = true;
                return false;
            }

            _lockMissed = false;
            var id = NewId.NextGuid();
            var issued = new Beat(time);
            await _table.Join(id, cancellationToken).ConfigureAwait(false);
            if (file.IsHeld)
                await _table.EvictOthers(id, cancellationToken).ConfigureAwait(false);
            await Look(cancellationToken).ConfigureAwait(false);

            // Last: a term that stood without having looked would never learn its share.
            Term = new Term(id, file.IsHeld ? null : options.LeaseTime, issued, time);
            logger.Joined(id);
            return true;
        },
        cancellationToken);

    /// <summary>One beat, and one look at the others.</summary>
    public Task BeatOnce(CancellationToken cancellationToken) => Alone(
        async () =>
        {
            // Nobody else can take over a file that this process has locked.
            if (Term is not { IsOver: false } term || file.IsHeld)
                return true;

            var issued = new Beat(time);
            if (await _table.Beat(term.Id, cancellationToken).ConfigureAwait(false))
                term.Beaten(issued);
            else
                Evicted(term);
            await Look(cancellationToken).ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    /// <summary>Ends the term, and frees what it owned. The caller has nothing in flight any more.</summary>
    public Task Leave(CancellationToken cancellationToken) => Alone(
        async () =>
        {
            if (Term is { IsOver: false } term)
            {
                term.End();
                await _table.Leave(term.Id, cancellationToken).ConfigureAwait(false);
                logger.Left(term.Id);
            }

            return true;
        },
        cancellationToken);

    public void Dispose()
    {
        file.Dispose();
        _gate.Dispose();
    }

    private async Task Look(CancellationToken cancellationToken)
    {
        var beats = await _table.Watch(cancellationToken).ConfigureAwait(false);
        foreach (var (id, seen) in _watch.Observe(beats, time.GetElapsedTime(0)))
        {
            // Our own row is ours to judge, and a beat since the read saves the other.
            if (id == Term?.Id || !await _table.Evict(id, seen, cancellationToken).ConfigureAwait(false))
                continue;
            beats.Remove(id);
            logger.EvictedOther(id, options.LeaseTime);
        }

        if (Alive.ToHashSet().SetEquals(beats.Keys))
            return;
        Alive = [.. beats.Keys];
        Changed.Raise();
    }

    private void Evicted(Term term)
    {
        term.End();
        logger.EvictedSelf(term.Id, options.LeaseTime);
        Changed.Raise();
    }

    private async Task<bool> Alone(Func<Task<bool>> work, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch
        {
            // Whatever it was, the next statement finds a connection that works, and counts nobody's silence meanwhile.
            _watch.Missed();
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            _gate.Release();
        }
    }
}
