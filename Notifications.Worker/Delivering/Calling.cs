using System.Security.Cryptography;
using Notifications.Sending;

namespace Notifications.Delivering;

/// <summary>Calls the endpoint of an attempt that is taken.</summary>
internal sealed class Calling(WebhookClient client, EndpointLanes lanes, SecretBox box, DeliverySettings settings, DeliveryMetrics metrics, TimeProvider time)
{
    // For a call of the endpoint's to end, once the attempt is taken.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>
    /// One exchange; null when the endpoint's calls are all made and none of them ended soon, or when there is no time left: whoever was
    /// paused for longer than the lease would call after another replica has.
    /// </summary>
    public async Task<Exchange?> Call(DeliveryWork work, EndpointLane lane, CancellationToken cancellationToken)
    {
        if (Write(work, out var refusal) is not { } request)
        {
            return NotCalled(work, refusal!);
        }

        using var call = await lanes.BeginCall(lane, Patience, cancellationToken);
        if (call is null || work.LeaseUntil - Now < settings.Timeout)
        {
            metrics.Parked(call is null ? "busy" : "lease");
            return null;
        }

        var (startedAt, started) = (Now, time.GetTimestamp());
        var answer = await client.Send(request, cancellationToken);
        return new Exchange(
            startedAt, time.GetElapsedTime(started), answer, Verdict.Of(answer, work.Endpoint, work.Step, Now, Random.Shared.NextDouble()));
    }

    /// <summary>An attempt that came to no call, and what is written down of it.</summary>
    public Exchange NotCalled(DeliveryWork work, WebhookAnswer answer) => new(
        Now, TimeSpan.Zero, answer, Verdict.Of(answer, work.Endpoint, work.Step, Now, Random.Shared.NextDouble()), WasCalled: false);

    private WebhookRequest? Write(DeliveryWork work, out WebhookAnswer? refusal)
    {
        refusal = null;
        if (work.Body is null)
        {
            refusal = new WebhookAnswer(AttemptOutcome.Refused, Error: "The event's body is not kept any more.");
            return null;
        }

        try
        {
            return work.Write(box, Now);
        }
        catch (CryptographicException exception)
        {
            // An operator's mistake; mended, the later attempts succeed.
            refusal = new WebhookAnswer(AttemptOutcome.Forbidden, Error: exception.Message);
            return null;
        }
    }
}
