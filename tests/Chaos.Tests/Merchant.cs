using System.Globalization;
using System.Net;
using Outbox.Testing;

namespace Chaos.Tests;

/// <summary>Somebody who is told by webhook.</summary>
internal sealed class Merchant : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _listening;

    public Merchant()
    {
        Url = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort.Next()}/"));
        _listener.Prefixes.Add(Url.AbsoluteUri);
        _listener.Start();
        _listening = ListenAsync();
    }

    public Uri Url { get; }

    /// <summary>The <c>webhook-id</c> of each request, noted before it is answered.</summary>
    public SignalLog<Guid> Told { get; } = new();

    /// <summary>Whether requests are left without an answer.</summary>
    public bool Hangs { get; set; }

    /// <summary>How many of the next requests are answered with an error.</summary>
    public int Failures { get; set; }

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _listening;
    }

    private async Task ListenAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                return;   // closed
            }

            Told.Add(Guid.Parse(context.Request.Headers["webhook-id"]!));
            if (!Hangs)
            {
                context.Response.StatusCode = Failures-- > 0 ? 500 : 204;
                context.Response.Close();
            }
        }
    }
}
