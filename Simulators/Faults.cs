using System.Diagnostics.CodeAnalysis;

namespace Simulators;

/// <summary>Ways of not answering.</summary>
internal sealed class Faults(HttpContext http, IHostApplicationLifetime lifetime)
{
    private static readonly TimeSpan BetweenBytes = TimeSpan.FromMilliseconds(200);
    private static readonly byte[] Filler = [.. Enumerable.Repeat((byte)'x', 16 * 1024)];

    /// <summary>Keeps the connection open and says nothing, until the client gives up or this process stops.</summary>
    public async Task<IResult> Hang()
    {
        await UntilGivenUp(cancellationToken => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken));
        return Break();
    }

    /// <summary>Breaks the connection.</summary>
    public IResult Break()
    {
        http.Abort();
        return Results.Empty;
    }

    /// <summary>Answers with success, and then with a body that comes byte by byte and has no end.</summary>
    public Task<IResult> Drip() => Endless(1, BetweenBytes);

    /// <summary>Answers with success, and then with a body as large as anybody reads.</summary>
    public Task<IResult> Flood() => Endless(Filler.Length, TimeSpan.Zero);

    private async Task<IResult> Endless(int bytes, TimeSpan pause)
    {
        http.Response.ContentType = "text/plain";
        await UntilGivenUp(async cancellationToken =>
        {
            while (true)
            {
                await http.Response.Body.WriteAsync(Filler.AsMemory(0, bytes), cancellationToken);
                await http.Response.Body.FlushAsync(cancellationToken);
                await Task.Delay(pause, TimeProvider.System, cancellationToken);
            }
        });
        return Break();
    }

    [SuppressMessage("Design", "CA1031", Justification = "How a client gives up is its own affair.")]
    private async Task UntilGivenUp(Func<CancellationToken, Task> work)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await work(end.Token);
        }
        catch (Exception) when (end.IsCancellationRequested)
        {
            // That is what was waited for.
        }
    }
}
