using System.Security.Claims;

namespace Notifications;

internal static class Caller
{
    /// <summary>Whose key the request came with.</summary>
    public static Guid ReceiverId(this ClaimsPrincipal caller) => Guid.Parse(caller.FindFirstValue(ClaimTypes.NameIdentifier)!);
}
