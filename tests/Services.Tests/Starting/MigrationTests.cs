using Microsoft.EntityFrameworkCore;
using Notifications;
using Points;
using Users;

namespace Services.Tests;

/// <summary>Whoever changes a model, the outbox's tables included, adds the migrations: ./add-migration.sh.</summary>
public sealed class MigrationTests
{
    public static TheoryData<DbContext> Contexts =>
    [
        new UsersSqlite(Sqlite<UsersSqlite>()), new UsersPostgres(Postgres<UsersPostgres>()),
        new UsersSqlServer(SqlServer<UsersSqlServer>()),
        new PointsSqlite(Sqlite<PointsSqlite>()), new PointsPostgres(Postgres<PointsPostgres>()),
        new PointsSqlServer(SqlServer<PointsSqlServer>()),
        new NotificationsSqlite(Sqlite<NotificationsSqlite>()), new NotificationsPostgres(Postgres<NotificationsPostgres>()),
        new NotificationsSqlServer(SqlServer<NotificationsSqlServer>()),
    ];

    [Theory]
    [MemberData(nameof(Contexts), DisableDiscoveryEnumeration = true)]
    public async Task The_migrations_make_what_the_model_says(DbContext context)
    {
        await using (context)
        {
            context.Database.HasPendingModelChanges().ShouldBeFalse();
            context.Database.GetMigrations().ShouldNotBeEmpty();
        }
    }

    private static DbContextOptions<T> Sqlite<T>()
        where T : DbContext => new DbContextOptionsBuilder<T>().UseSqlite().Options;

    private static DbContextOptions<T> Postgres<T>()
        where T : DbContext => new DbContextOptionsBuilder<T>().UseNpgsql().Options;

    private static DbContextOptions<T> SqlServer<T>()
        where T : DbContext => new DbContextOptionsBuilder<T>().UseSqlServer().Options;
}
