namespace Notifications.Delivering;

/// <summary>
/// How many deliveries work with the database at once. They take turns for each step, and none during a call: however many calls hang,
/// the connections are there for the others.
/// </summary>
/// <param name="turns">How many. Not given back at the end: whoever still waited for its turn would wait for ever.</param>
internal sealed class DatabaseTurns(SemaphoreSlim turns)
{
    /// <summary>For SQLite, which has one writer at a time: whoever waits for it there keeps a thread.</summary>
    public const int OnFile = 1;

    /// <summary>For a server, of whose connections (100 by default) the rest is for whatever else goes on.</summary>
    public const int OnServer = 40;

    /// <inheritdoc cref="Run{T}"/>
    public Task Run(Func<Task> step, CancellationToken cancellationToken) => Run(
        async () =>
        {
            await step();
            return true;
        },
        cancellationToken);

    /// <summary>Does a step when it is its turn.</summary>
    public async Task<T> Run<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        await turns.WaitAsync(cancellationToken);
        try
        {
            return await step();
        }
        finally
        {
            turns.Release();
        }
    }
}
