namespace Notifications;

/// <summary>A job is to do its next part. Sent to the notifier's own queue.</summary>
/// <param name="JobId">Which job; how far it is, its row says.</param>
/// <param name="Part">Which part, by <see cref="Job.Part"/>.</param>
public sealed record ContinueJob(Guid JobId, int Part)
{
    /// <summary>The queue's name.</summary>
    public const string Queue = "notifications-recover";

    /// <summary>Where it is sent: the exchange of the queue, as wake-ups of deliveries are.</summary>
    public static Uri Address { get; } = new($"exchange:{Queue}");
}
