using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Notifications.Sending;

/// <summary>
/// Sends webhooks to addresses that strangers have chosen: through <see cref="GuardedConnection"/>, without a proxy, cookies,
/// redirects or decompression, by HTTP 1.1 or 2 (a connection by HTTP 3 would pass the guard by), and with one deadline over
/// the whole exchange.
/// </summary>
public sealed class WebhookClient : IDisposable
{
    /// <summary>How much of an answer is read.</summary>
    public const int MaxAnswer = 16 * 1024;

    private const int MaxAnswerHeaders = 16;   // kilobytes
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly HttpMessageInvoker http;
    private readonly NameLookUps names;
    private readonly AllowedDestinations allowed;
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;

    /// <summary>Makes a client.</summary>
    /// <param name="allowed">Where it may send to.</param>
    /// <param name="timeout">How long an exchange may take, from resolving the name to the answer's last byte.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of what is hidden from receivers.</param>
    /// <param name="resolve">Resolves names; by default as the system does.</param>
    public WebhookClient(
        AllowedDestinations allowed, TimeSpan timeout, TimeProvider time, ILogger<WebhookClient> logger, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        (this.allowed, this.timeout, this.time) = (allowed, timeout, time);
        names = new NameLookUps(NameLookUps.Most, NameLookUps.MostLate, Dns.GetHostAddresses, time);
        http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = new GuardedConnection(allowed, resolve ?? names.Resolve, time, logger).Connect,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,   // the event's own trace is told, not this process's
            MaxResponseHeadersLength = MaxAnswerHeaders,
            MaxResponseDrainSize = 0,   // what is left of an answer is not fetched, only to keep the connection: it is closed
            ResponseDrainTimeout = TimeSpan.Zero,
            EnableMultipleHttp2Connections = true,   // receivers behind one host wait for none of each other; the calls are counted before
            ConnectTimeout = timeout,   // a connection is made for whoever comes first, and would outlive who asked for it
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        });
    }

    /// <summary>One exchange. What goes wrong in it is an answer too.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    public async Task<WebhookAnswer> Send(WebhookRequest webhook, CancellationToken cancellationToken)
    {
        if (allowed.Refuse(webhook.Url) is { } refusal)
        {
            return new WebhookAnswer(AttemptOutcome.Forbidden, Error: refusal);
        }

        using var deadline = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        int? status = null;
        try
        {
            using var request = Write(webhook);
            using var response = await http.SendAsync(request, either.Token);
            status = (int)response.StatusCode;
            var body = await ReadStart(response, either.Token);
            return new WebhookAnswer(null, status, body, RetryAfter.Read(response.Headers.RetryAfter, time.GetUtcNow()));
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return Explain(exception, deadline.IsCancellationRequested, status);
        }
    }

    public void Dispose()
    {
        http.Dispose();
        names.Dispose();
    }

    /// <summary>The request as it goes out.</summary>
    internal HttpRequestMessage Write(WebhookRequest webhook)
    {
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds();
        var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = new ByteArrayContent(webhook.Body) { Headers = { ContentType = Json } },
        };
        request.Headers.TryAddWithoutValidation("user-agent", "Outbox-Webhooks/1");
        request.Headers.TryAddWithoutValidation("webhook-id", webhook.Id);
        request.Headers.TryAddWithoutValidation("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
        request.Headers.TryAddWithoutValidation("webhook-signature", WebhookSignature.Sign(webhook.Id, timestamp, webhook.Body, webhook.Keys));
        if (webhook.TraceParent is { } trace)
        {
            request.Headers.TryAddWithoutValidation("traceparent", trace);
        }

        foreach (var (name, value) in webhook.Headers ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            if (WebhookHeaders.Refuse(name, value) is null)   // vetted when it was stored, and by the rules of today
            {
                // Those that describe a body, such as Content-Language, can be added to the content only.
                _ = request.Headers.TryAddWithoutValidation(name, value) || request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    // The rest is left unread; an answer that goes on costs its sender the connection.
    private static async Task<byte[]> ReadStart(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[Math.Min(response.Content.Headers.ContentLength ?? MaxAnswer, MaxAnswer)];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return buffer[..length];
    }

    private WebhookAnswer Explain(Exception exception, bool isLate, int? status)
    {
        if (Forbidden(exception) is { } forbidden)
        {
            return new WebhookAnswer(AttemptOutcome.Forbidden, Error: forbidden.Message);
        }

        return isLate
            ? new WebhookAnswer(AttemptOutcome.TimedOut, status, Error: string.Create(CultureInfo.InvariantCulture, $"No whole answer within {timeout.TotalSeconds:0.###} s."))
            : new WebhookAnswer(AttemptOutcome.Unreachable, status, Error: Innermost(exception).Message);
    }

    private static ForbiddenDestinationException? Forbidden(Exception? exception) =>
        exception is null or ForbiddenDestinationException ? exception as ForbiddenDestinationException : Forbidden(exception.InnerException);

    private static Exception Innermost(Exception exception) => exception.InnerException is { } inner ? Innermost(inner) : exception;
}
