using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;
using ServiceDefaults;

namespace Notifications;

/// <summary>A receiver's endpoints: found, shown and changed, each change against the version that it was made for.</summary>
internal sealed partial class EndpointBook(NotificationsDb db, SecretBox box, TimeProvider time, ILogger<EndpointBook> logger)
{
    private const int MaxTries = 5;

    /// <summary>The receiver's endpoints that are not deleted.</summary>
    public IQueryable<WebhookEndpoint> Of(Guid receiverId) =>
        db.Endpoints.Where(e => e.ReceiverId == receiverId && e.State != EndpointState.Deleted);

    /// <summary>One of them; null when there is none with this id.</summary>
    public Task<WebhookEndpoint?> Find(Guid receiverId, Guid id, CancellationToken cancellationToken) =>
        Of(receiverId).AsNoTracking().SingleOrDefaultAsync(e => e.Id == id, cancellationToken);

    /// <summary>Changes an endpoint, unless somebody else has changed it since the request's <c>If-Match</c>.</summary>
    /// <param name="request">May hold <c>If-Match</c>.</param>
    /// <param name="receiverId">Whose endpoint.</param>
    /// <param name="id">Which.</param>
    /// <param name="change">Changes the row.</param>
    /// <param name="answer">The answer once it is saved.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IResult> Change(
        HttpRequest request,
        Guid receiverId,
        Guid id,
        Action<WebhookEndpoint> change,
        Func<WebhookEndpoint, IResult> answer,
        CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var endpoint = await Of(receiverId).SingleOrDefaultAsync(e => e.Id == id, cancellationToken);
            if (endpoint is null)
            {
                return NotFound();
            }

            if (!IsExpected(request, endpoint))
            {
                return Changed();
            }

            change(endpoint);
            endpoint.Version++;
            endpoint.UpdatedAt = time.UtcNow();
            try
            {
                await db.SaveChangesAsync(cancellationToken);
                SetTag(request.HttpContext.Response, endpoint);
                return answer(endpoint);
            }
            catch (DbUpdateConcurrencyException) when (tries < MaxTries)
            {
                db.ChangeTracker.Clear();   // made again on what is there now; or refused, where If-Match says so
            }
            catch (DbUpdateConcurrencyException)
            {
                return Changed();
            }
        }
    }

    /// <summary>The endpoint as the API shows it.</summary>
    /// <param name="endpoint">The row.</param>
    /// <param name="key">The key to show, when it was just made.</param>
    public EndpointView Show(WebhookEndpoint endpoint, byte[]? key = null)
    {
        var showsPrevious = endpoint.PreviousSecretUntil > time.UtcNow();
        return new EndpointView(
            endpoint.Id,
            endpoint.Url,
            EventTypeList.Read(endpoint.EventTypes)!,
            endpoint.Description,
            HeadersOf(endpoint)?.Keys.Order(StringComparer.OrdinalIgnoreCase).ToList(),
            endpoint.RateLimit,
            endpoint.Schedule,
            endpoint.SuccessBody,
            endpoint.State.Text(),
            endpoint.DisabledReason,
            endpoint.ThrottledUntil > time.UtcNow() ? endpoint.ThrottledUntil : null,
            showsPrevious ? endpoint.PreviousSecretUntil : null,
            endpoint.CreatedAt,
            endpoint.UpdatedAt,
            key is null ? null : WebhookSecret.Show(key));
    }

    /// <summary>What the endpoint is set to, as its receiver said it.</summary>
    public EndpointSettings SettingsOf(WebhookEndpoint endpoint) => new(
        endpoint.Url,
        EventTypeList.Read(endpoint.EventTypes),
        endpoint.Description,
        HeadersOf(endpoint),
        endpoint.RateLimit,
        endpoint.Schedule,
        endpoint.SuccessBody);

    /// <summary>Sets it to what its receiver said, which was found to be valid.</summary>
    /// <param name="settings">What it said.</param>
    /// <param name="endpoint">The row.</param>
    /// <param name="setsHeaders">Whether it said anything about headers; otherwise they stay as they are, also where nobody can open them.</param>
    public void Apply(EndpointSettings settings, WebhookEndpoint endpoint, bool setsHeaders = true)
    {
        endpoint.Url = settings.Url!;
        endpoint.EventTypes = EventTypeList.Write(settings.EventTypes!);
        endpoint.Description = settings.Description;
        endpoint.RateLimit = settings.RateLimit;
        endpoint.Schedule = settings.Schedule ?? RetrySchedule.Standard;
        endpoint.SuccessBody = settings.SuccessBody;
        if (setsHeaders)
        {
            endpoint.Headers = settings.Headers is { Count: > 0 } headers
                ? box.Seal(endpoint.Id, JsonSerializer.SerializeToUtf8Bytes(headers))
                : null;
        }
    }

    public static void SetTag(HttpResponse response, WebhookEndpoint endpoint) => response.Headers.ETag = Tag(endpoint).ToString();

    public static IResult NotFound() => Problems.NotFound("You have no such endpoint.");

    private static IResult Changed() => Problems.Of(
        StatusCodes.Status412PreconditionFailed, "precondition-failed", "The endpoint has changed since. Read it again.");

    private static bool IsExpected(HttpRequest request, WebhookEndpoint endpoint)
    {
        if (request.Headers.IfMatch.Count == 0)
        {
            return true;
        }

        return EntityTagHeaderValue.TryParseList(request.Headers.IfMatch, out var tags)
            && tags.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(Tag(endpoint), useStrongComparison: true));
    }

    private static EntityTagHeaderValue Tag(WebhookEndpoint endpoint) => new($"\"{endpoint.Version}\"");

    // Null where they cannot be opened: an operator's mistake, which must not keep the receiver from all its endpoints.
    private Dictionary<string, string?>? HeadersOf(WebhookEndpoint endpoint)
    {
        try
        {
            return endpoint.Headers is null ? [] : JsonSerializer.Deserialize<Dictionary<string, string?>>(box.Open(endpoint.Id, endpoint.Headers));
        }
        catch (CryptographicException exception)
        {
            CannotOpen(logger, endpoint.Id, exception);
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The headers of endpoint {EndpointId} cannot be opened")]
    private static partial void CannotOpen(ILogger logger, Guid endpointId, Exception exception);
}
