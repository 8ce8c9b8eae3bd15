using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>One event for one receiver.</summary>
public sealed class Notification
{
    public Guid Id { get; init; }

    public Guid ReceiverId { get; init; }

    public required BusinessEvent Event { get; init; }

    public Guid EventId { get; init; }

    public DateTime CreatedAt { get; init; }
}

internal sealed class NotificationTable : IEntityTypeConfiguration<Notification>
{
    public void Configure(EntityTypeBuilder<Notification> notification)
    {
        notification.ToTable("Notification");
        notification.Property(n => n.Id).ValueGeneratedNever();
        notification.Property(n => n.CreatedAt).IsUtc();
        notification.HasOne(n => n.Event).WithMany().HasForeignKey(n => n.EventId);
        notification.HasOne<Receiver>().WithMany().HasForeignKey(n => n.ReceiverId);
        notification.HasIndex(n => new { n.EventId, n.ReceiverId }).IsUnique();
        notification.HasIndex(n => new { n.ReceiverId, n.CreatedAt, n.Id });   // the order of a receiver's list
    }
}
