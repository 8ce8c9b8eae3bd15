using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Outbox.Testing;

/// <summary>
/// A network between a client and a server that can be cut, stalled and slowed: the client connects to
/// <see cref="Port"/> of the loopback address instead of to the server.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly string _host;
    private readonly int _serverPort;
    private readonly ConcurrentDictionary<TcpProxyConnection, Task> _connections = new();
    private TcpListener? _listener;
    private Task _accepting = Task.CompletedTask;

    private TcpProxy(string host, int port)
    {
        _host = host;
        _serverPort = port;
    }

    /// <summary>The port to connect to.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>How many connections are open through it.</summary>
    public int Connections => _connections.Count;

    /// <summary>How much later each piece of data arrives (default zero).</summary>
    public TimeSpan Latency { get; set; }

    internal TcpGate ToServer { get; } = new();

    internal TcpGate ToClient { get; } = new();

    /// <summary>Starts forwarding to the server.</summary>
    public static TcpProxy To(string host, int port)
    {
        var proxy = new TcpProxy(host, port);
        proxy.Restore();
        return proxy;
    }

    /// <summary>The network is down: open connections are reset, new ones refused.</summary>
    public void Cut()
    {
        _listener?.Dispose();
        _listener = null;
        foreach (var connection in _connections.Keys)
            connection.Reset();
    }

    /// <summary>Undoes <see cref="Cut"/>: new connections are accepted again.</summary>
    public void Restore()
    {
        if (_listener is not null)
            return;
        var listener = _listener = new TcpListener(IPAddress.Loopback, Port);
        listener.Start();
        _accepting = AcceptAsync(listener);
    }

    /// <summary>The network swallows everything and says nothing: connections are accepted and nothing arrives.</summary>
    public void Stall(TcpDirection direction = TcpDirection.Both)
    {
        if (direction.HasFlag(TcpDirection.ToServer))
            ToServer.Close();
        if (direction.HasFlag(TcpDirection.ToClient))
            ToClient.Close();
    }

    /// <summary>Undoes <see cref="Stall"/>: what was held back arrives.</summary>
    public void Resume()
    {
        ToServer.Open();
        ToClient.Open();
    }

    /// <summary>Cuts for good.</summary>
    public async ValueTask DisposeAsync()
    {
        Cut();
        Resume();
        await _accepting;
        await Task.WhenAll(_connections.Values);
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await listener.AcceptSocketAsync();
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // The listener was closed: cut.
                return;
            }

            var connection = new TcpProxyConnection(this, client);
            _connections[connection] = Task.CompletedTask;
            _connections[connection] = ForwardAsync(connection);
            if (_listener != listener)
                connection.Reset();
        }
    }

    private async Task ForwardAsync(TcpProxyConnection connection)
    {
        await Task.Yield();
        await connection.RunAsync(_host, _serverPort);
        _connections.TryRemove(connection, out _);
    }
}
