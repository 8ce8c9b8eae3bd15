using System.Net;
using System.Net.Sockets;
using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public sealed class TcpProxyTests : IAsyncLifetime
{
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly SignalLog<byte> _received = new();
    private TcpProxy _proxy = null!;
    private Task _serving = Task.CompletedTask;

    public Task InitializeAsync()
    {
        _server.Start();
        _serving = ServeAsync();
        _proxy = TcpProxy.To("127.0.0.1", ((IPEndPoint)_server.LocalEndpoint).Port);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _server.Stop();
        await _serving;
    }

    [Fact]
    public async Task Bytes_go_through_both_ways_and_the_end_is_passed_on()
    {
        using var client = await ConnectAsync();

        (await EchoAsync(client, 7)).ShouldBe((byte)7);

        var stream = client.GetStream();
        client.Client.Shutdown(SocketShutdown.Send);
        (await stream.ReadAsync(new byte[1])).ShouldBe(0);
        await Eventually.Is(() => _proxy.Connections == 0);
    }

    [Fact]
    public async Task Cut_resets_what_is_open_and_refuses_what_is_new_until_restored()
    {
        using var client = await ConnectAsync();
        await EchoAsync(client, 1);

        _proxy.Cut();

        var reset = await Should.ThrowAsync<IOException>(() => client.GetStream().ReadAsync(new byte[1]).AsTask());
        reset.InnerException.ShouldBeOfType<SocketException>().SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
        var refused = await Should.ThrowAsync<SocketException>(ConnectAsync);
        refused.SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);

        _proxy.Restore();
        using var again = await ConnectAsync();
        (await EchoAsync(again, 2)).ShouldBe((byte)2);
    }

    [Fact]
    public async Task Stalled_it_accepts_and_forwards_nothing_until_resumed()
    {
        _proxy.Stall();
        using var client = await ConnectAsync();
        var answer = EchoAsync(client, 3);
        await Eventually.Is(() => _proxy.Connections == 1);

        answer.IsCompleted.ShouldBeFalse();
        _received.Count.ShouldBe(0);

        _proxy.Resume();
        (await answer).ShouldBe((byte)3);
    }

    [Fact]
    public async Task Stalled_one_way_the_server_hears_and_its_answer_does_not_arrive()
    {
        using var client = await ConnectAsync();
        _proxy.Stall(TcpDirection.ToClient);

        var answer = EchoAsync(client, 4);
        await _received.WaitForCount(1);
        _proxy.Cut();

        await Should.ThrowAsync<IOException>(answer);
        _received.Values.ShouldBe([(byte)4]);
    }

    [Fact]
    public async Task Latency_delays_and_keeps_the_order()
    {
        _proxy.Latency = TimeSpan.FromMilliseconds(20);
        using var client = await ConnectAsync();

        (await EchoAsync(client, 5)).ShouldBe((byte)5);
        (await EchoAsync(client, 6)).ShouldBe((byte)6);
    }

    private async Task<TcpClient> ConnectAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port);
        return client;
    }

    private static async Task<byte> EchoAsync(TcpClient client, byte value)
    {
        var stream = client.GetStream();
        await stream.WriteAsync(new[] { value });
        var answer = new byte[1];
        await stream.ReadExactlyAsync(answer);
        return answer[0];
    }

    private async Task ServeAsync()
    {
        var clients = new List<Task>();
        try
        {
            while (true)
                clients.Add(EchoAllAsync(await _server.AcceptSocketAsync()));
        }
        catch (SocketException)
        {
            await Task.WhenAll(clients);
        }
    }

    private async Task EchoAllAsync(Socket client)
    {
        using (client)
        {
            var buffer = new byte[1];
            try
            {
                while (await client.ReceiveAsync(buffer) > 0)
                {
                    _received.Add(buffer[0]);
                    await client.SendAsync(buffer);
                }
            }
            catch (SocketException)
            {
                // Reset by the proxy.
            }
        }
    }
}
