using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Outbox.Testing;

/// <summary>Ports for servers that a test starts.</summary>
public static class FreePort
{
    // Below the range from which systems take the ports of outgoing connections (Linux: from 32768, others: from
    // 49152): a server that is stopped and started again would sometimes find its port taken, even by a client
    // that reconnected to itself.
    private const int First = 20_000;
    private const int Last = 32_000;

    /// <summary>A port of the loopback address that nobody listens on.</summary>
    public static int Next()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(First, Last);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                // Somebody's: try another.
            }
        }
    }
}
