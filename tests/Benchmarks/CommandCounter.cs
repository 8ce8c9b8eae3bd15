using System.Diagnostics;

namespace Benchmarks;

/// <summary>Counts what the database driver sends: every command is an activity of its source.</summary>
internal sealed class CommandCounter : IDisposable
{
    private readonly ActivityListener _listener;
    private int _commands;

    public CommandCounter()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.GetTagItem("db.statement") is not null || activity.GetTagItem("db.query.text") is not null)
                    Interlocked.Increment(ref _commands);
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public int Commands => Volatile.Read(ref _commands);

    public void Dispose() => _listener.Dispose();
}
