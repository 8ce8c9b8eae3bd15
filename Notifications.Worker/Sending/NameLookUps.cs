using System.Collections.Concurrent;
using System.Net;

namespace Notifications.Sending;

/// <summary>
/// Resolves names as the system does, which keeps a thread for each until the name's server answers or is given up: a few at once, one
/// for all who ask for the same name, and on threads of their own. One that takes long leaves its place to the next, so that names whose
/// servers are silent, however many, delay the others by a moment.
/// </summary>
/// <param name="most">How many at once.</param>
/// <param name="mostLate">How many more that have taken longer than <see cref="Moment"/>. The next ones keep their places: threads have an end.</param>
/// <param name="lookUp">Resolves a name; may block.</param>
/// <param name="time">The clock.</param>
public sealed class NameLookUps(int most, int mostLate, Func<string, IPAddress[]> lookUp, TimeProvider time) : IDisposable
{
    /// <summary>How many are made at once.</summary>
    public const int Most = 64;

    /// <summary>How many more that take long: with them, one for every call that may hang (<see cref="Delivering.EndpointLanes"/>).</summary>
    public const int MostLate = 192;

    private readonly SemaphoreSlim places = new(most);
    private readonly SemaphoreSlim latePlaces = new(mostLate);
    private readonly ConcurrentDictionary<string, Lazy<Task<IPAddress[]>>> underWay = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>How long one may take and count as quick.</summary>
    public static TimeSpan Moment { get; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The addresses of a name.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up; the look-up itself goes on.</exception>
    public Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken) =>
        underWay.GetOrAdd(host, name => new Lazy<Task<IPAddress[]>>(() => LookUp(name))).Value.WaitAsync(cancellationToken);

    public void Dispose()
    {
        places.Dispose();
        latePlaces.Dispose();
    }

    private async Task<IPAddress[]> LookUp(string host)
    {
        await places.WaitAsync();
        var place = places;
        try
        {
            var answer = Task.Factory.StartNew(() => lookUp(host), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            using (var answered = new CancellationTokenSource())
            {
                await Task.WhenAny(answer, Task.Delay(Moment, time, answered.Token));
                await answered.CancelAsync();
            }

            if (!answer.IsCompleted && latePlaces.Wait(0))
            {
                places.Release();
                place = latePlaces;
            }

            return await answer;
        }
        finally
        {
            underWay.TryRemove(host, out _);
            place.Release();
        }
    }
}
