using System.Collections.Concurrent;
using System.Net;

namespace Notifications.Sending;

/// <summary>
/// Resolves names as the system does, which keeps a thread for each until the name's server answers or is given up: a few at once, one
/// for all who ask for the same name, and on threads of their own, so that a name whose server is silent keeps none from the others.
/// </summary>
/// <param name="most">How many at once.</param>
/// <param name="lookUp">Resolves a name; may block.</param>
public sealed class NameLookUps(int most, Func<string, IPAddress[]> lookUp) : IDisposable
{
    /// <summary>How many are made at once.</summary>
    public const int Most = 64;

    private readonly SemaphoreSlim places = new(most);
    private readonly ConcurrentDictionary<string, Lazy<Task<IPAddress[]>>> underWay = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The addresses of a name.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up; the look-up itself goes on.</exception>
    public Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken) =>
        underWay.GetOrAdd(host, name => new Lazy<Task<IPAddress[]>>(() => LookUp(name))).Value.WaitAsync(cancellationToken);

    public void Dispose() => places.Dispose();

    private async Task<IPAddress[]> LookUp(string host)
    {
        await places.WaitAsync();
        try
        {
            return await Task.Factory.StartNew(() => lookUp(host), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            underWay.TryRemove(host, out _);
            places.Release();
        }
    }
}
