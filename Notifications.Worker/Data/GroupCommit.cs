namespace Notifications;

/// <summary>
/// Does together what is asked for while the one before is under way: who comes alone waits for nobody, and the more there is to do, the
/// more share a transaction.
/// </summary>
/// <param name="most">How many at most share one.</param>
/// <param name="commit">Does them, all or none, and says which.</param>
internal sealed class GroupCommit<T>(int most, Func<IReadOnlyList<T>, Task<bool>> commit)
{
    private readonly Lock gate = new();
    private readonly Queue<Asked> waiting = new();
    private bool isAtWork;

    /// <summary>Asks for one to be done with the next that are.</summary>
    /// <returns>Whether it was; otherwise none of them was, and each is to be tried on its own.</returns>
    public Task<bool> Add(T item)
    {
        var asked = new Asked(item, new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (gate)
        {
            waiting.Enqueue(asked);
            if (!isAtWork)
            {
                isAtWork = true;
                using (ExecutionContext.SuppressFlow())   // it is not a part of the trace of who came first
                {
                    _ = Task.Run(CommitAll);   // whoever asked waits for it
                }
            }
        }

        return asked.Done.Task;
    }

    private async Task CommitAll()
    {
        while (Next() is { Count: > 0 } group)
        {
            try
            {
                var done = await commit(group.ConvertAll(asked => asked.Item));
                group.ForEach(asked => asked.Done.SetResult(done));
            }
            catch (Exception exception)
            {
                group.ForEach(asked => asked.Done.SetException(exception));   // the next go on
            }
        }
    }

    private List<Asked> Next()
    {
        lock (gate)
        {
            var group = new List<Asked>(Math.Min(most, waiting.Count));
            while (group.Count < most && waiting.TryDequeue(out var asked))
            {
                group.Add(asked);
            }

            isAtWork = group.Count > 0;
            return group;
        }
    }

    private sealed record Asked(T Item, TaskCompletionSource<bool> Done);
}
