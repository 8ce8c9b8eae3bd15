using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Outbox;
using Outbox.Modelling;

namespace MassTransit;

/// <summary>Adds the outbox's and the inbox's tables to a model. Call from <c>OnModelCreating</c>.</summary>
public static class OutboxModelBuilderExtensions
{
    /// <summary>Adds everything: <see cref="InboxMessage"/>, <see cref="OutboxMessage"/>, <see cref="OutboxReplica"/> and <see cref="OutboxLease"/>.</summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Changes each of the tables, for example its schema.</param>
    public static void AddTransactionalOutboxEntities(this ModelBuilder modelBuilder, Action<EntityTypeBuilder>? configure = null)
    {
        modelBuilder.AddInboxStateEntity(configure);
        modelBuilder.AddOutboxMessageEntity(configure);
        modelBuilder.AddOutboxStateEntity(configure, configure);
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
        outbox.Property(m => m.PartitionKey).HasMaxLength(OutboxMessage.MaxPartitionKey);
        outbox.Property(m => m.LastError).HasMaxLength(2048);
        outbox.Property(m => m.MessageType).HasMaxLength(OutboxMessage.MaxMessageType);
        outbox.Property(m => m.DestinationAddress).HasMaxLength(OutboxMessage.MaxAddress);
        outbox.Property(m => m.ContentType).HasMaxLength(OutboxMessage.MaxContentType);
        outbox.Property(m => m.CreatedAt).HasConversion<UtcConverter>();
        outbox.Property(m => m.DueAt).HasConversion<UtcConverter>();
        outbox.Property(m => m.ClosedAt).HasConversion<UtcConverter>();
        outbox.Property(m => m.ExpiresAt).HasConversion<UtcConverter>();

        if (modelBuilder.Model.IsSqlServer())
            InsertedOneByOne.Model(outbox);

        configure?.Invoke(outbox);

        // Each index holds only the rows its reader wants, so that a row which is sent at once pays for one. Last, since
        // the filters are text and must name the columns as they were configured.
        var (state, due, holds) = (Column(outbox, m => m.State), Column(outbox, m => m.DueAt), Column(outbox, m => m.Holds));
        outbox.HasIndex(m => new { m.Partition, m.SequenceNumber }, "IX_OutboxMessage_Ready").HasFilter($"{state} = 0 AND {due} IS NULL");
        outbox.HasIndex(m => new { m.DueAt, m.SequenceNumber }, "IX_OutboxMessage_Due").HasFilter($"{state} = 0 AND {due} IS NOT NULL");
        outbox.HasIndex(m => m.MessageId, "IX_OutboxMessage_Scheduled").HasFilter($"{due} IS NOT NULL");          // the cancelling's
        outbox.HasIndex(m => new { m.Partition, m.KeyHash }, "IX_OutboxMessage_Holds").HasFilter($"{holds} = {(modelBuilder.Model.IsSqlServer() ? "1" : "TRUE")}");
        outbox.HasIndex(m => new { m.State, m.SequenceNumber }, "IX_OutboxMessage_Closed").HasFilter($"{state} <> 0");
        outbox.HasIndex(m => new { m.DueAt, m.SequenceNumber }, "IX_OutboxMessage_Prepared").HasFilter($"{state} = 3");
        outbox.HasIndex(m => m.ClosedAt, "IX_OutboxMessage_Decided").HasFilter($"{state} >= 4");
    }

    /// <summary>Adds the tables by which the replicas share the relaying, <see cref="OutboxReplica"/> and <see cref="OutboxLease"/>.</summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Changes the replica table's name, schema or columns.</param>
    /// <param name="configureLease">Changes the lease table's name, schema or columns.</param>
    public static void AddOutboxStateEntity(
        this ModelBuilder modelBuilder, Action<EntityTypeBuilder<OutboxReplica>>? configure = null, Action<EntityTypeBuilder<OutboxLease>>? configureLease = null)
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
        configureLease?.Invoke(lease);
    }

    private static string Column<TProperty>(EntityTypeBuilder<OutboxMessage> outbox, Expression<Func<OutboxMessage, TProperty>> property)
    {
        var (quote, unquote) = outbox.Metadata.Model.IsSqlServer() ? ('[', ']') : ('"', '"');
        return $"{quote}{outbox.Property(property).Metadata.GetColumnName()}{unquote}";
    }

    /// <summary>Times are UTC in every row; SQLite would otherwise give them back without saying so.</summary>
    private sealed class UtcConverter() : ValueConverter<DateTime, DateTime>(
        value => value.ToUniversalTime(),
        value => DateTime.SpecifyKind(value, DateTimeKind.Utc));
}
