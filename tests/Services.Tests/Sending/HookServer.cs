using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>Somebody's HTTP server on this machine's loopback.</summary>
public sealed class HookServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private HookServer(WebApplication app) => this.app = app;

    /// <summary>The requests that came, each noted before it is answered.</summary>
    public SignalLog<ReceivedRequest> Requests { get; } = new();

    public int Port => new Uri(app.Urls.First()).Port;

    public Uri Url => new($"http://127.0.0.1:{Port}/hook");

    /// <summary>Answers each request as <paramref name="answer"/> does; by default with 204.</summary>
    public static async Task<HookServer> Start(Func<ReceivedRequest, HttpContext, Task>? answer = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var receiver = new HookServer(builder.Build());
        receiver.app.Urls.Add("http://127.0.0.1:0");
        receiver.app.Run(async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            var request = new ReceivedRequest(
                http.Request.Path, http.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray());
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            receiver.Requests.Add(request);
            if (answer is not null)
            {
                await answer(request, http);
            }
        });
        await receiver.app.StartAsync();
        return receiver;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }
}

/// <summary>A request that came.</summary>
public sealed record ReceivedRequest(string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string WebhookId => Headers["webhook-id"];
}
