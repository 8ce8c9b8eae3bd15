using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>One event for one receiver.</summary>
public sealed class Notification
{
    /// <summary>Also the <c>webhook-id</c>: the same for every attempt, at every endpoint of the receiver.</summary>
    public Guid Id { get; init; }

    public Guid ReceiverId { get; init; }

    public required BusinessEvent Event { get; init; }

    public Guid EventId { get; init; }

    /// <summary>
    /// Its place in the feed; null until the sequencer has given it one, which it does only to rows that are committed.
    /// What has none is not read yet.
    /// </summary>
    public long? Position { get; set; }

    /// <summary>When the receiver said that it has taken notice; null: not yet.</summary>
    public DateTime? AcknowledgedAt { get; set; }

    public DateTime CreatedAt { get; init; }
}

internal sealed class NotificationTable : IEntityTypeConfiguration<Notification>
{
    public void Configure(EntityTypeBuilder<Notification> notification)
    {
        notification.ToTable("Notification");
        notification.Property(n => n.Id).ValueGeneratedNever();
        notification.Property(n => n.AcknowledgedAt).IsUtc();
        notification.Property(n => n.CreatedAt).IsUtc();
        notification.HasOne(n => n.Event).WithMany().HasForeignKey(n => n.EventId).OnDelete(DeleteBehavior.Restrict);
        notification.HasOne<Receiver>().WithMany().HasForeignKey(n => n.ReceiverId).OnDelete(DeleteBehavior.Restrict);
        notification.HasIndex(n => new { n.EventId, n.ReceiverId }).IsUnique();
        notification.HasIndex(n => new { n.ReceiverId, n.Position });   // the feed
        notification.HasIndex(n => new { n.ReceiverId, n.CreatedAt, n.Id });   // what a recovery goes through
        notification.HasIndex(n => new { n.CreatedAt, n.Id }).HasFilter("\"Position\" IS NULL");   // what is to be numbered
    }
}
