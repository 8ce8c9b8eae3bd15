using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Notifications;

/// <summary>How <c>dotnet ef</c> makes the contexts, which need no database to be compared with their migrations.</summary>
internal sealed class NotificationsSqliteDesign : IDesignTimeDbContextFactory<NotificationsSqlite>
{
    public NotificationsSqlite CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<NotificationsSqlite>().UseSqlite().Options);
}

/// <inheritdoc cref="NotificationsSqliteDesign"/>
internal sealed class NotificationsPostgresDesign : IDesignTimeDbContextFactory<NotificationsPostgres>
{
    public NotificationsPostgres CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<NotificationsPostgres>().UseNpgsql().Options);
}

/// <inheritdoc cref="NotificationsSqliteDesign"/>
internal sealed class NotificationsSqlServerDesign : IDesignTimeDbContextFactory<NotificationsSqlServer>
{
    public NotificationsSqlServer CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<NotificationsSqlServer>().UseSqlServer().Options);
}
