using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Outbox;

namespace MassTransit;

/// <summary>Adds the outbox's and the inbox's tables to a model. Call from <c>OnModelCreating</c>.</summary>
public static class OutboxModelBuilderExtensions
{
    /// <summary>Adds everything: <see cref="InboxMessage"/>, <see cref="OutboxMessage"/>, <see cref="OutboxReplica"/> and <see cref="OutboxLease"/>.</summary>
    /// <param name="modelBuilder">The model.</param>
    public static void AddTransactionalOutboxEntities(this ModelBuilder modelBuilder)
    {
        modelBuilder.AddInboxStateEntity();
        modelBuilder.AddOutboxMessageEntity();
        modelBuilder.AddOutboxStateEntity();
    }

    /// <summary>Adds the inbox's table, <see cref="InboxMessage"/>.</summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Changes the table's name, schema or columns.</param>
    public static void AddInboxStateEntity(this ModelBuilder modelBuilder, Action<EntityTypeBuilder<InboxMessage>>? configure = null)
    {
        var inbox = modelBuilder.Entity<InboxMessage>();
        inbox.ToTable("InboxMessage");
        inbox.HasKey(m => new { m.MessageId, m.ConsumerId });
        inbox.Property(m => m.ConsumedAt).HasConversion<UtcConverter>();
        inbox.Property(m => m.ExpiresAt).HasConversion<UtcConverter>();
        inbox.HasIndex(m => m.ExpiresAt);                  // the clean-up's
        configure?.Invoke(inbox);
    }

    /// <summary>Adds the outbox's table, <see cref="OutboxMessage"/>.</summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Changes the table's name, schema or columns.</param>
    public static void AddOutboxMessageEntity(this ModelBuilder modelBuilder, Action<EntityTypeBuilder<OutboxMessage>>? configure = null)
    {
        var outbox = modelBuilder.Entity<OutboxMessage>();
        outbox.ToTable("OutboxMessage");
        outbox.HasKey(m => m.SequenceNumber);
        outbox.Property(m => m.SequenceNumber).ValueGeneratedOnAdd();
        outbox.Property(m => m.PartitionKey).HasMaxLength(256);
        outbox.Property(m => m.LastError).HasMaxLength(2048);
        outbox.Property(m => m.MessageType).HasMaxLength(2048);
        outbox.Property(m => m.DestinationAddress).HasMaxLength(1024);
        outbox.Property(m => m.ContentType).HasMaxLength(256);
        outbox.Property(m => m.CreatedAt).HasConversion<UtcConverter>();
        outbox.Property(m => m.DueAt).HasConversion<UtcConverter>();
        outbox.Property(m => m.ClosedAt).HasConversion<UtcConverter>();
        outbox.Property(m => m.ExpiresAt).HasConversion<UtcConverter>();

        // Each index holds only the rows its reader wants, so that a row which is sent at once pays for one.
        outbox.HasIndex(m => new { m.Partition, m.SequenceNumber }, "IX_OutboxMessage_Ready")
            .HasFilter("\"State\" = 0 AND \"DueAt\" IS NULL");
        outbox.HasIndex(m => new { m.DueAt, m.SequenceNumber }, "IX_OutboxMessage_Due")
            .HasFilter("\"DueAt\" IS NOT NULL");
        outbox.HasIndex(m => new { m.Partition, m.KeyHash }, "IX_OutboxMessage_Holds")
            .HasFilter("\"Holds\" = TRUE");
        outbox.HasIndex(m => new { m.State, m.SequenceNumber }, "IX_OutboxMessage_Closed")
            .HasFilter("\"State\" <> 0");
        configure?.Invoke(outbox);
    }

    /// <summary>Adds the tables by which the replicas share the relaying, <see cref="OutboxReplica"/> and <see cref="OutboxLease"/>.</summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Changes the replica table's name, schema or columns.</param>
    public static void AddOutboxStateEntity(this ModelBuilder modelBuilder, Action<EntityTypeBuilder<OutboxReplica>>? configure = null)
    {
        var replica = modelBuilder.Entity<OutboxReplica>();
        replica.ToTable("OutboxReplica");
        replica.HasKey(r => r.Id);
        replica.Property(r => r.Id).ValueGeneratedNever();
        configure?.Invoke(replica);

        var lease = modelBuilder.Entity<OutboxLease>();
        lease.ToTable("OutboxLease");
        lease.HasKey(l => l.Partition);
        lease.Property(l => l.Partition).ValueGeneratedNever();

        // Removing a dead replica frees its partitions in the same statement.
        lease.HasOne<OutboxReplica>().WithMany().HasForeignKey(l => l.Owner).OnDelete(DeleteBehavior.SetNull);
    }

    /// <summary>Times are UTC in every row; SQLite would otherwise give them back without saying so.</summary>
    private sealed class UtcConverter() : ValueConverter<DateTime, DateTime>(
        value => value.ToUniversalTime(),
        value => DateTime.SpecifyKind(value, DateTimeKind.Utc));
}
