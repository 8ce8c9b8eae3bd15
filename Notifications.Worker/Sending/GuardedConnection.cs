using System.Net;
using System.Net.Sockets;

namespace Notifications.Sending;

/// <summary>
/// Makes the connections of outgoing requests: resolves the name, and dials an address that it has vetted. Nobody resolves
/// a second time in between, so that a name which changes its answer gains nothing.
/// </summary>
/// <param name="allowed">Which addresses may be dialled.</param>
/// <param name="resolve">Resolves a name.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of what is hidden from who chose the name.</param>
public sealed class GuardedConnection(
    AllowedDestinations allowed, Func<string, CancellationToken, Task<IPAddress[]>> resolve, TimeProvider time, ILogger logger)
{
    // After RFC 8305, "Happy Eyeballs": long for an address that answers, and short for who waits.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    // Whoever chose the name chose its addresses too, and they need not be his.
    private const int MostAddresses = 8;

    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>, which is asked for every connection over TCP.</summary>
    /// <exception cref="ForbiddenDestinationException">None of the name's addresses may be dialled.</exception>
    public async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var found = IPAddress.TryParse(host, out var literal) ? [literal] : await resolve(host, cancellationToken);
        if (found.Length == 0)
        {
            throw new SocketException((int)SocketError.HostNotFound);
        }

        var vetted = Array.FindAll(found, allowed.Allows);
        if (vetted.Length == 0)
        {
            // Which addresses is nobody's business who may have chosen the name to learn of the network.
            logger.LeadsNowhere(host, string.Join(", ", found.Select(a => a.ToString())));
            throw new ForbiddenDestinationException($"{host} leads to no address that may be called.");
        }

        return await Dial(vetted, context.DnsEndPoint.Port, cancellationToken);
    }

    /// <summary>Tries the addresses in their order, the next one as soon as one fails or is silent for a moment; the first to answer is taken.</summary>
    private async Task<Stream> Dial(IPAddress[] addresses, int port, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var next = new Queue<IPAddress>(addresses.Take(MostAddresses));
        List<Task<Stream>> dialled = [];
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (next.TryDequeue(out var address))
                {
                    dialled.Add(Dial(address, port, enough.Token));
                }

                var silence = Task.Delay(next.Count > 0 ? Patience : Timeout.InfiniteTimeSpan, time, enough.Token);
                var first = await Task.WhenAny([.. dialled, silence]);
                if (first is Task<Stream> answer && dialled.Remove(answer) && (answer.IsCompletedSuccessfully || (dialled.Count == 0 && next.Count == 0)))
                {
                    return await answer;   // the last one's error is told
                }
            }
        }
        finally
        {
            await enough.CancelAsync();
            foreach (var other in dialled)
            {
                await ((Task)other).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (other.IsCompletedSuccessfully)
                {
                    await (await other).DisposeAsync();
                }
            }
        }
    }

    private static async Task<Stream> Dial(IPAddress address, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
