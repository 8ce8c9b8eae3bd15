using ServiceDefaults;

namespace Notifications;

internal static class TryingAgain
{
    private const int Times = 3;

    /// <summary>
    /// What changes many deliveries at once may wait for outcomes that are being written down together, and they for it: the database
    /// ends one of the two, of which nothing is left. It is tried again, before anybody is told to come back later.
    /// </summary>
    public static RouteHandlerBuilder TriedAgain(this RouteHandlerBuilder route) => route.AddEndpointFilter(async (context, next) =>
    {
        for (var time = 1; ; time++)
        {
            try
            {
                return await next(context);
            }
            catch (Exception exception) when (time < Times && exception.IsPassing())
            {
                context.HttpContext.RequestServices.GetRequiredService<NotificationsDb>().ChangeTracker.Clear();
            }
        }
    });
}
