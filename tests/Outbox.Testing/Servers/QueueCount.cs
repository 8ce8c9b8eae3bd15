namespace Outbox.Testing;

/// <summary>A queue as the broker counts it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ready">Messages waiting in it.</param>
/// <param name="Unacknowledged">Messages with a consumer, not yet acknowledged.</param>
/// <param name="Consumers">Consumers on it.</param>
public sealed record QueueCount(string Name, long Ready, long Unacknowledged, int Consumers)
{
    /// <summary>All messages in it.</summary>
    public long Messages => Ready + Unacknowledged;
}
