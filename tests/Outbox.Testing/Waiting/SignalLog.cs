namespace Outbox.Testing;

/// <summary>
/// What happened, in order, and a way to wait for it: the code under test adds, the test awaits. Thread-safe.
/// </summary>
/// <param name="capacity">How many values are kept; older ones are forgotten, but still counted.</param>
public sealed class SignalLog<T>(int capacity = int.MaxValue)
{
    private readonly Lock _gate = new();
    private readonly Queue<T> _values = new();
    private readonly List<Waiter> _waiters = [];
    private int _count;

    /// <summary>How many values were ever added.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _count;
        }
    }

    /// <summary>A copy of the values that are kept, oldest first.</summary>
    public IReadOnlyList<T> Values
    {
        get
        {
            lock (_gate)
                return [.. _values];
        }
    }

    /// <summary>Records a value and wakes whoever waits for it.</summary>
    public void Add(T value)
    {
        lock (_gate)
        {
            _count++;
            _values.Enqueue(value);
            if (_values.Count > capacity)
                _values.Dequeue();
            _waiters.RemoveAll(waiter => waiter.Accepts(value, _count));
        }
    }

    /// <summary>The first kept value that fits; waits for one to be added where there is none.</summary>
    /// <exception cref="TimeoutException">None came within the limit (default <see cref="Eventually.Limit"/>).</exception>
    public Task<T> WaitFor(Func<T, bool> predicate, TimeSpan? limit = null)
    {
        lock (_gate)
        {
            foreach (var value in _values)
            {
                if (predicate(value))
                    return Task.FromResult(value);
            }

            return Wait(new Waiter((value, _) => predicate(value)), "a value that fits", limit);
        }
    }

    /// <summary>Waits until at least <paramref name="count"/> values were added.</summary>
    /// <returns>The values that are kept by then.</returns>
    /// <exception cref="TimeoutException">Fewer came within the limit (default <see cref="Eventually.Limit"/>).</exception>
    public async Task<IReadOnlyList<T>> WaitForCount(int count, TimeSpan? limit = null)
    {
        Task<T> reached;
        lock (_gate)
        {
            if (_count >= count)
                return [.. _values];
            reached = Wait(new Waiter((_, added) => added >= count), $"{count} values", limit);
        }

        await reached;
        return Values;
    }

    private async Task<T> Wait(Waiter waiter, string wanted, TimeSpan? limit)
    {
        lock (_gate)
            _waiters.Add(waiter);
        try
        {
            return await waiter.Task.WaitAsync(limit ?? Eventually.Limit, TimeProvider.System);
        }
        catch (TimeoutException timeout)
        {
            throw new TimeoutException(
                $"Expected {wanted} within {limit ?? Eventually.Limit}; {Count} came, the last of them:\n{string.Join('\n', Values.TakeLast(20))}",
                timeout);
        }
        finally
        {
            lock (_gate)
                _waiters.Remove(waiter);
        }
    }

    private sealed class Waiter(Func<T, int, bool> predicate)
    {
        private readonly TaskCompletionSource<T> _found = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Task => _found.Task;

        public bool Accepts(T value, int count)
        {
            try
            {
                return predicate(value, count) && _found.TrySetResult(value);
            }
            catch (Exception exception)
            {
                // A faulty predicate is the test's to hear of, not the code under test's.
                return _found.TrySetException(exception);
            }
        }
    }
}
