using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Users;

/// <summary>The users and what is to be said about them. One derived class per database holds its migrations.</summary>
public abstract class UsersDb(DbContextOptions options) : DbContext(options)
{
    public DbSet<User> Users => Set<User>();

    public DbSet<TopUp> TopUps => Set<TopUp>();

    public DbSet<StoredAnswer> StoredAnswers => Set<StoredAnswer>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.ApplyConfiguration(new UserTable());
        modelBuilder.ApplyConfiguration(new TopUpTable());
        modelBuilder.ApplyConfiguration(new StoredAnswerTable());
        modelBuilder.AddTransactionalOutboxEntities();
    }
}

public sealed class UsersSqlite(DbContextOptions<UsersSqlite> options) : UsersDb(options);

public sealed class UsersPostgres(DbContextOptions<UsersPostgres> options) : UsersDb(options);

public sealed class UsersSqlServer(DbContextOptions<UsersSqlServer> options) : UsersDb(options)
{
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => configurationBuilder.CompareTextExactly();
}
