using System.Collections.Concurrent;

namespace Outbox.Checking;

/// <summary>
/// The checks of one message type: so many at a time, the others in their order. Each type has its own, so that one that
/// does not answer keeps no other waiting.
/// </summary>
/// <param name="limit">How many run at a time.</param>
/// <param name="run">Runs one. It returns what still runs although nobody waits for it any more.</param>
internal sealed class CheckQueue(int limit, Func<long, Task<Task>> run)
{
    private const int MostWaiting = 1000;

    private readonly Lock _gate = new();
    private readonly Queue<long> _waiting = [];
    private readonly HashSet<long> _known = [];
    private readonly ConcurrentDictionary<Task, bool> _running = [];
    private int _free = limit;

    /// <summary>Whether it takes more.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate)
                return _waiting.Count < MostWaiting;
        }
    }

    /// <summary>What runs, abandoned checks included.</summary>
    public Task Running => Task.WhenAll(_running.Keys);

    /// <summary>Has a message checked, unless that is under way.</summary>
    public void Add(long id)
    {
        lock (_gate)
        {
            if (_waiting.Count >= MostWaiting || !_known.Add(id))
                return;
            _waiting.Enqueue(id);
        }

        Pump();
    }

    /// <summary>Forgets what has not begun.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _known.ExceptWith(_waiting);
            _waiting.Clear();
        }
    }

    private void Pump()
    {
        while (Next() is { } id)
        {
            var running = Run(id);
            _running[running] = true;
            _ = running.ContinueWith(done => _running.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private long? Next()
    {
        lock (_gate)
        {
            if (_free == 0 || !_waiting.TryDequeue(out var id))
                return null;
            _free--;
            return id;
        }
    }

    private async Task Run(long id)
    {
        await Task.Yield();
        Task abandoned;
        try
        {
            abandoned = await run(id).ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
                _free++;
        }

        // The place is free, and the message is not asked about again before this one has ended.
        Pump();
        await abandoned.ConfigureAwait(false);
        lock (_gate)
            _known.Remove(id);
    }
}
