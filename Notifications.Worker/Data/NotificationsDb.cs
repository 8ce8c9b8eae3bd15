using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>What happened and who is to be told. One derived class per database holds its migrations.</summary>
public abstract class NotificationsDb(DbContextOptions options) : DbContext(options)
{
    public DbSet<Receiver> Receivers => Set<Receiver>();

    public DbSet<BusinessEvent> Events => Set<BusinessEvent>();

    public DbSet<Notification> Notifications => Set<Notification>();

    public DbSet<FeedCounter> FeedCounters => Set<FeedCounter>();

    public DbSet<WebhookEndpoint> Endpoints => Set<WebhookEndpoint>();

    public DbSet<Delivery> Deliveries => Set<Delivery>();

    public DbSet<DeliveryAttempt> Attempts => Set<DeliveryAttempt>();

    public DbSet<Job> Jobs => Set<Job>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.ApplyConfiguration(new ReceiverTable());
        modelBuilder.ApplyConfiguration(new BusinessEventTable());
        modelBuilder.ApplyConfiguration(new NotificationTable());
        modelBuilder.ApplyConfiguration(new FeedCounterTable());
        modelBuilder.ApplyConfiguration(new WebhookEndpointTable());
        modelBuilder.ApplyConfiguration(new DeliveryTable());
        modelBuilder.ApplyConfiguration(new DeliveryAttemptTable());
        modelBuilder.ApplyConfiguration(new JobTable());
        modelBuilder.AddTransactionalOutboxEntities();
    }
}

public sealed class NotificationsSqlite(DbContextOptions<NotificationsSqlite> options) : NotificationsDb(options);

public sealed class NotificationsPostgres(DbContextOptions<NotificationsPostgres> options) : NotificationsDb(options);

public sealed class NotificationsSqlServer(DbContextOptions<NotificationsSqlServer> options) : NotificationsDb(options)
{
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => configurationBuilder.CompareTextExactly();
}
