using Microsoft.EntityFrameworkCore;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

internal static class Feeds
{
    /// <summary>Waits until every notification has its place in the feed.</summary>
    public static Task Numbered(this ServiceApp<NotificationsDb> app) =>
        Eventually.Is(() => app.InDb(async db => !await db.Notifications.AnyAsync(n => n.Position == null)));
}
