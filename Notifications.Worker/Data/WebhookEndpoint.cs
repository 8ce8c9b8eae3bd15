using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>An address of a receiver's that is told by HTTP.</summary>
public sealed class WebhookEndpoint
{
    internal const int MaxUrl = 2048;
    internal const int MaxDescription = 256;
    internal const int MaxSchedule = 16;
    internal const int MaxSuccessBody = 64;
    internal const int MaxDisabledReason = 256;

    public Guid Id { get; init; }

    public Guid ReceiverId { get; init; }

    public required string Url { get; set; }

    /// <summary>What it is told of, as <see cref="EventTypeList"/> writes it.</summary>
    public required string EventTypes { get; set; }

    public string? Description { get; set; }

    /// <summary>
    /// Headers sent along, as a JSON object, sealed by <see cref="SecretBox"/> with the endpoint's id: they may hold keys.
    /// </summary>
    public byte[]? Headers { get; set; }

    /// <summary>The most attempts that begin in a second; null: no limit of its own.</summary>
    public int? RateLimit { get; set; }

    /// <summary>A name from <see cref="RetrySchedule.Presets"/>.</summary>
    public string Schedule { get; set; } = RetrySchedule.Standard;

    /// <summary>The whole answer, apart from white space at its ends, that counts as success with a 2xx; null: any.</summary>
    public string? SuccessBody { get; set; }

    public EndpointState State { get; set; }

    /// <summary>Why it is disabled, for people.</summary>
    public string? DisabledReason { get; set; }

    /// <summary>No attempt begins before this time, on any replica.</summary>
    public DateTime? ThrottledUntil { get; set; }

    /// <summary>With a rate limit: when the next attempt may begin, on any replica.</summary>
    public DateTime? RateSlotAt { get; set; }

    /// <summary>
    /// Counts changes, for <c>ETag</c>. Raised by whoever changes the address, a setting, a secret or the state, but not by
    /// throttling.
    /// </summary>
    public int Version { get; set; } = 1;

    /// <summary>The key that signs, 32 bytes sealed by <see cref="SecretBox"/> with the endpoint's id.</summary>
    public required byte[] Secret { get; set; }

    /// <summary>The key before, sealed alike; signs too until <see cref="PreviousSecretUntil"/>.</summary>
    public byte[]? PreviousSecret { get; set; }

    public DateTime? PreviousSecretUntil { get; set; }

    public DateTime CreatedAt { get; init; }

    public DateTime UpdatedAt { get; set; }
}

/// <summary>Whether an endpoint is told of things. Stored by number.</summary>
public enum EndpointState
{
    /// <summary>It is.</summary>
    Active = 0,

    /// <summary>Its receiver paused it; deliveries are held.</summary>
    Paused = 1,

    /// <summary>It answered 410 Gone; deliveries are held until its receiver resumes it.</summary>
    Disabled = 2,

    /// <summary>Its receiver deleted it. Nobody sees it any more; the housekeeping removes its rows, a few at a time.</summary>
    Deleted = 3,
}

internal sealed class WebhookEndpointTable : IEntityTypeConfiguration<WebhookEndpoint>
{
    public void Configure(EntityTypeBuilder<WebhookEndpoint> endpoint)
    {
        endpoint.ToTable("WebhookEndpoint");
        endpoint.Property(e => e.Id).ValueGeneratedNever();
        endpoint.Property(e => e.Url).HasMaxLength(WebhookEndpoint.MaxUrl);
        endpoint.Property(e => e.EventTypes).HasMaxLength(EventTypeList.MaxLength);
        endpoint.Property(e => e.Description).HasMaxLength(WebhookEndpoint.MaxDescription);
        endpoint.Property(e => e.Schedule).HasMaxLength(WebhookEndpoint.MaxSchedule);
        endpoint.Property(e => e.SuccessBody).HasMaxLength(WebhookEndpoint.MaxSuccessBody);
        endpoint.Property(e => e.DisabledReason).HasMaxLength(WebhookEndpoint.MaxDisabledReason);
        endpoint.Property(e => e.Version).IsConcurrencyToken();
        endpoint.Property(e => e.ThrottledUntil).IsUtc();
        endpoint.Property(e => e.RateSlotAt).IsUtc();
        endpoint.Property(e => e.PreviousSecretUntil).IsUtc();
        endpoint.Property(e => e.CreatedAt).IsUtc();
        endpoint.Property(e => e.UpdatedAt).IsUtc();
        endpoint.HasOne<Receiver>().WithMany().HasForeignKey(e => e.ReceiverId).OnDelete(DeleteBehavior.Restrict);
        endpoint.HasIndex(e => new { e.ReceiverId, e.CreatedAt, e.Id });
        endpoint.HasIndex(e => e.State);
    }
}
