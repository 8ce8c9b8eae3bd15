using System.Net;
using System.Net.Sockets;

namespace Notifications.Sending;

/// <summary>
/// Makes the connections of outgoing requests: resolves the name, and dials an address that it has vetted. Nobody resolves
/// a second time in between, so that a name which changes its answer gains nothing.
/// </summary>
/// <param name="allowed">Which addresses may be dialled.</param>
/// <param name="resolve">Resolves a name.</param>
public sealed class GuardedConnection(AllowedDestinations allowed, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
{
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
            throw new ForbiddenDestinationException($"{host} is at {string.Join(", ", found.Select(a => a.ToString()))}, which must not be called.");
        }

        return await Dial(vetted, context.DnsEndPoint.Port, cancellationToken);
    }

    private static async Task<Stream> Dial(IPAddress[] addresses, int port, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            var socket = new Socket(addresses[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(addresses[i], port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException) when (i + 1 < addresses.Length)
            {
                socket.Dispose();   // the next address may answer; the last one's error is told
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
