using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>What came of one attempt.</summary>
public sealed class DeliveryAttempt
{
    internal const int MaxText = 1024;

    public Guid DeliveryId { get; init; }

    /// <summary>The <see cref="Delivery.Attempt"/> that this was.</summary>
    public int Number { get; init; }

    public DateTime StartedAt { get; init; }

    public int DurationMilliseconds { get; init; }

    public AttemptOutcome Outcome { get; init; }

    /// <summary>The HTTP status; null when there was no answer.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The answer's first kilobyte, as text.</summary>
    public string? Answer { get; init; }

    /// <summary>Why it failed, for people.</summary>
    public string? Error { get; init; }

    /// <summary>When the next attempt was to begin; null when none followed.</summary>
    public DateTime? NextAttemptAt { get; init; }
}

/// <summary>What came of an attempt. Stored by number.</summary>
public enum AttemptOutcome
{
    /// <summary>The endpoint took it.</summary>
    Delivered = 0,

    /// <summary>The endpoint answered that it did not.</summary>
    Refused = 1,

    /// <summary>There was no whole answer in time.</summary>
    TimedOut = 2,

    /// <summary>The endpoint could not be reached, or the connection broke.</summary>
    Unreachable = 3,

    /// <summary>The address is one that must not be called.</summary>
    Forbidden = 4,

    /// <summary>The endpoint answered that it is gone for good, and was disabled.</summary>
    Gone = 5,
}

internal sealed class DeliveryAttemptTable : IEntityTypeConfiguration<DeliveryAttempt>
{
    public void Configure(EntityTypeBuilder<DeliveryAttempt> attempt)
    {
        attempt.ToTable("DeliveryAttempt");
        attempt.HasKey(a => new { a.DeliveryId, a.Number });
        attempt.Property(a => a.Answer).HasMaxLength(DeliveryAttempt.MaxText);
        attempt.Property(a => a.Error).HasMaxLength(DeliveryAttempt.MaxText);
        attempt.Property(a => a.StartedAt).IsUtc();
        attempt.Property(a => a.NextAttemptAt).IsUtc();
        attempt.HasOne<Delivery>().WithMany().HasForeignKey(a => a.DeliveryId).OnDelete(DeleteBehavior.Cascade);
        attempt.HasIndex(a => a.StartedAt);   // the retention's way to what is oldest
    }
}
