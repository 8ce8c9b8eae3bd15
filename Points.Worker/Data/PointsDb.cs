using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Points;

/// <summary>The ledger, what it adds up to, and which messages it has taken. One derived class per database.</summary>
public abstract class PointsDb(DbContextOptions options) : DbContext(options)
{
    public DbSet<Account> Accounts => Set<Account>();

    public DbSet<LedgerEntry> Entries => Set<LedgerEntry>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.ApplyConfiguration(new AccountTable());
        modelBuilder.ApplyConfiguration(new LedgerEntryTable());
        modelBuilder.AddTransactionalOutboxEntities();
    }
}

public sealed class PointsSqlite(DbContextOptions<PointsSqlite> options) : PointsDb(options);

public sealed class PointsPostgres(DbContextOptions<PointsPostgres> options) : PointsDb(options);

public sealed class PointsSqlServer(DbContextOptions<PointsSqlServer> options) : PointsDb(options)
{
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => configurationBuilder.CompareTextExactly();
}
