using MassTransit;
using MassTransit.Serialization;

namespace Outbox.Relaying;

/// <summary>Whether the broker can be reached.</summary>
/// <remarks>
/// The health of a bus tells it only where the bus consumes: one that only sends stays healthy while its broker is away.
/// So the way to the broker is tried as well, by a send that stops itself when it has got a channel: nothing is sent and
/// nothing is declared.
/// </remarks>
internal sealed class BrokerLink(IBusControl bus, BrokerRoute route, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly Uri Nowhere = new("queue:outbox-reachable");

    /// <summary>What the bus says of itself; costs next to nothing.</summary>
    public bool IsHealthy => bus.CheckHealth().Status != BusHealthStatus.Unhealthy;

    /// <summary>Why it could not be reached at the last try, as far as anything said it.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Tries to reach the broker.</summary>
    public async Task<bool> IsUp(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            if (!IsHealthy)
                return false;

            // Waited for here as well: a transport that lost its connection at a bad moment may never come back to this one.
            var endpoint = await route.To(Nowhere).WaitAsync(either.Token).ConfigureAwait(false);
            await endpoint.Send(Delivery.Placeholder, new Turnstile(), either.Token).WaitAsync(either.Token).ConfigureAwait(false);
            return false;
        }
        catch (SendWithheldException)
        {
            Failure = null;
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            Failure = exception;
            return false;
        }
    }

    private sealed class Turnstile : IPipe<SendContext<SerializedMessageBody>>
    {
        public Task Send(SendContext<SerializedMessageBody> context) => throw new SendWithheldException("The broker can be reached.");

        public void Probe(ProbeContext context) => context.CreateScope("outbox");
    }
}
