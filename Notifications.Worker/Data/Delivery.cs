using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>One notification for one endpoint: the truth about what becomes of it. Messages only wake it up.</summary>
public sealed class Delivery
{
    public Guid Id { get; init; }

    public Guid NotificationId { get; init; }

    public Guid EndpointId { get; init; }

    public DeliveryState State { get; set; }

    /// <summary>
    /// The number of the attempt that is next, or under way; from 1, only ever raised. Whoever changes the row compares it.
    /// </summary>
    public int Attempt { get; set; } = 1;

    /// <summary>
    /// Where the next attempt, or the one under way, stands in the endpoint's schedule, from 0. A resend begins anew, and
    /// so has all its retries.
    /// </summary>
    public int Step { get; set; }

    /// <summary>When the next attempt may begin; null in every state but pending.</summary>
    public DateTime? NextAttemptAt { get; set; }

    /// <summary>Until when the attempt under way belongs to who took it; null in every state but delivering.</summary>
    public DateTime? LeaseUntil { get; set; }

    public DateTime CreatedAt { get; init; }

    /// <summary>When the state last changed.</summary>
    public DateTime UpdatedAt { get; set; }
}

internal sealed class DeliveryTable : IEntityTypeConfiguration<Delivery>
{
    public void Configure(EntityTypeBuilder<Delivery> delivery)
    {
        delivery.ToTable("Delivery");
        delivery.Property(d => d.Id).ValueGeneratedNever();
        delivery.Property(d => d.State).IsConcurrencyToken();
        delivery.Property(d => d.Attempt).IsConcurrencyToken();
        delivery.Property(d => d.NextAttemptAt).IsUtc();
        delivery.Property(d => d.LeaseUntil).IsUtc();
        delivery.Property(d => d.CreatedAt).IsUtc();
        delivery.Property(d => d.UpdatedAt).IsUtc();
        delivery.HasOne<Notification>().WithMany().HasForeignKey(d => d.NotificationId).OnDelete(DeleteBehavior.Restrict);
        delivery.HasOne<WebhookEndpoint>().WithMany().HasForeignKey(d => d.EndpointId).OnDelete(DeleteBehavior.Restrict);
        delivery.HasIndex(d => new { d.NotificationId, d.EndpointId }).IsUnique();
        delivery.HasIndex(d => new { d.EndpointId, d.State, d.NextAttemptAt });   // draining, holding and recovering an endpoint's

        // What the sweeper looks for. Rows that wait for nothing are in neither.
        delivery.HasIndex(d => d.NextAttemptAt).HasFilter("\"NextAttemptAt\" IS NOT NULL");
        delivery.HasIndex(d => d.LeaseUntil).HasFilter("\"LeaseUntil\" IS NOT NULL");
    }
}
