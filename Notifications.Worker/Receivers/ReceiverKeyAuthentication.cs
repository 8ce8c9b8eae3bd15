using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using ServiceDefaults;

namespace Notifications;

/// <summary>Knows a receiver by the key in <c>Authorization: Bearer &lt;key&gt;</c>.</summary>
internal sealed class ReceiverKeyAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory logger,
    UrlEncoder encoder,
    NotificationsDb db,
    TimeProvider time) : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "ReceiverKey";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (BearerKey.Of(Request) is not { } key)
        {
            return AuthenticateResult.NoResult();
        }

        // Looked up by the hash of 256 random bits: how long that takes tells nothing about another key.
        var (hash, now) = (ApiKey.Hash(key), time.UtcNow());
        var receiver = await db.Receivers.AsNoTracking()
            .FirstOrDefaultAsync(r => r.ApiKeyHash == hash || (r.PreviousApiKeyHash == hash && r.PreviousApiKeyUntil > now), Context.RequestAborted);
        if (receiver is null)
        {
            return AuthenticateResult.Fail("No receiver has this key.");
        }

        Claim[] claims = [new(ClaimTypes.NameIdentifier, receiver.Id.ToString()), new(ClaimTypes.Name, receiver.Name)];
        var identity = new ClaimsIdentity(claims, Scheme.Name);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name));
    }

    // The body is written where every bare status gets its problem details.
    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        Response.Headers[HeaderNames.WWWAuthenticate] = "Bearer";
        return Task.CompletedTask;
    }
}
