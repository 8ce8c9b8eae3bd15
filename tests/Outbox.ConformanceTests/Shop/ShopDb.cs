using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Outbox.ConformanceTests;

/// <summary>The business that the suites do their work in: an order, and the message that reports it.</summary>
public class ShopDb : DbContext
{
    public ShopDb(DbContextOptions<ShopDb> options)
        : base(options)
    {
    }

    protected ShopDb(DbContextOptions options)
        : base(options)
    {
    }

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<OutboxMessage> OutboxMessages => Set<OutboxMessage>();

    public DbSet<InboxMessage> InboxMessages => Set<InboxMessage>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Order>().HasIndex(o => o.Number).IsUnique();
        modelBuilder.AddTransactionalOutboxEntities();
    }
}

/// <summary>A second DbContext with an outbox of its own, for suites with several on one bus.</summary>
public sealed class DepotDb(DbContextOptions<DepotDb> options) : DbContext(options)
{
    public DbSet<OutboxMessage> OutboxMessages => Set<OutboxMessage>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddTransactionalOutboxEntities();
}

public sealed class Order
{
    public int Id { get; set; }

    public int Number { get; set; }
}

public sealed record OrderPlaced(int Number, string? Customer = null);

public sealed record PackOrder(int Number);
