using System.Net.Sockets;

namespace Outbox.Testing;

/// <summary>One client's connection through a <see cref="TcpProxy"/>.</summary>
internal sealed class TcpProxyConnection(TcpProxy proxy, Socket client) : IDisposable
{
    private const int PieceSize = 64 * 1024;

    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly CancellationTokenSource _ended = new();

    public async Task RunAsync(string host, int port)
    {
        client.NoDelay = true;
        try
        {
            await proxy.ToServer.PassAsync(_ended.Token);
            await _server.ConnectAsync(host, port, _ended.Token);
            await Task.WhenAll(
                PumpAsync(client, _server, proxy.ToServer),
                PumpAsync(_server, client, proxy.ToClient));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone, or the network was cut: the other side hears of it below.
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Ends both halves by a reset, as when a machine on the way forgets the connection.</summary>
    public void Reset()
    {
        try
        {
            _ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }

        foreach (var socket in new[] { client, _server })
            socket.Close(timeout: 0);
    }

    public void Dispose()
    {
        Reset();
        _ended.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to, TcpGate gate)
    {
        var buffer = new byte[PieceSize];
        while (true)
        {
            // Stalled, nothing is read either, so that the sender meets a full window as it would on a dead network.
            await gate.PassAsync(_ended.Token);
            var count = await from.ReceiveAsync(buffer, _ended.Token);
            await gate.PassAsync(_ended.Token);
            if (proxy.Latency > TimeSpan.Zero)
                await Task.Delay(proxy.Latency, TimeProvider.System, _ended.Token);
            if (count == 0)
            {
                to.Shutdown(SocketShutdown.Send);
                return;
            }

            for (var sent = 0; sent < count;)
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _ended.Token);
        }
    }
}
