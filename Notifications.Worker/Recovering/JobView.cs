namespace Notifications;

/// <summary>A job as the API shows it.</summary>
/// <param name="Scope">A name of <see cref="JobScope"/>.</param>
/// <param name="Status">A name of <see cref="JobState"/>.</param>
/// <param name="Recovered">How many deliveries it has begun so far.</param>
public sealed record JobView(
    Guid Id, Guid EndpointId, string Scope, DateTime Since, DateTime Until, string Status, int Recovered, DateTime CreatedAt, DateTime? FinishedAt)
{
    public static JobView Of(Job j) =>
        new(j.Id, j.EndpointId, j.Scope.Text(), j.Since, j.Until, j.State.Text(), j.Recovered, j.CreatedAt, j.FinishedAt);
}
