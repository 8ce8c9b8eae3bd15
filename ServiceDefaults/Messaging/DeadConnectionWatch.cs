using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceDefaults;

/// <summary>
/// Ends the process when its consumers cling to a connection that is closed, so that whoever supervises it starts it anew.
/// </summary>
/// <remarks>
/// When the broker dies while channels are being closed, RabbitMQ.Client 7.1.2 can wait for ever for one of them to end, and
/// MassTransit, which waits for that before it connects again, offers the dead connection to every receive endpoint meanwhile. A
/// broker that is away is something else: it cannot be reached, and that is waited for.
/// </remarks>
/// <param name="health">What the bus says of itself.</param>
/// <param name="application">Ended when nothing else helps.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told why.</param>
internal sealed class DeadConnectionWatch(
    Func<BusHealthResult> health, IHostApplicationLifetime application, TimeProvider time, ILogger<DeadConnectionWatch> logger) : BackgroundService
{
    /// <summary>How long a closed connection may be offered; a live bus replaces it within moments.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // Whoever stops the bus may wait for the same channel.
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(40);

    /// <summary>Whether the application was ended by this watch.</summary>
    public bool HasEndedIt { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            for (long? since = null; ; await Task.Delay(Period, time, stoppingToken))
            {
                since = IsDead(health()) ? since ?? time.GetTimestamp() : null;
                if (since is { } start && time.GetElapsedTime(start) >= Patience)
                {
                    logger.ConnectionIsDead(Patience);
                    HasEndedIt = true;
                    _ = Task.Delay(StopLimit, time, CancellationToken.None).ContinueWith(_ => Environment.Exit(1), TaskScheduler.Default);
                    application.StopApplication();
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The service stops.
        }
    }

    private static bool IsDead(BusHealthResult result) =>
        Causes(result.Exception).Concat(result.Endpoints.Values.SelectMany(endpoint => Causes(endpoint.Exception)))
            .Any(cause => cause.GetType().FullName == "RabbitMQ.Client.Exceptions.AlreadyClosedException");

    private static IEnumerable<Exception> Causes(Exception? exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            yield return cause;
        }
    }
}

internal static partial class DeadConnectionLog
{
    [LoggerMessage(1, LogLevel.Critical, "Consumers were expected to connect anew and were offered a closed connection for {Patience}: the service ends, to be started again")]
    public static partial void ConnectionIsDead(this ILogger logger, TimeSpan patience);
}
