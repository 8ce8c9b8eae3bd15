using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Users;

/// <summary>Somebody pays for points. Stored before the payment is asked for, so that a request that is sent again finds it.</summary>
public sealed class TopUp
{
    internal const long MaxAmount = 1_000_000;

    /// <summary>Also the charge's id at the payment provider, which makes charging idempotent.</summary>
    public Guid Id { get; init; }

    public Guid UserId { get; init; }

    public long Amount { get; init; }

    public TopUpState State { get; set; }

    public DateTime StartedAt { get; init; }

    /// <summary>The half message that tells of it.</summary>
    public Guid MessageId { get; init; }
}

/// <summary>What is known of a top-up.</summary>
public enum TopUpState
{
    /// <summary>The provider was asked, or soon will be; the half message's check-back finds out.</summary>
    Pending = 0,

    /// <summary>The money was taken, and the points are or will be credited.</summary>
    Succeeded = 1,

    /// <summary>The money was not taken, or given back.</summary>
    Failed = 2,

    /// <summary>An operator has rolled it back: what was taken, if anything, is given back, and then it has failed.</summary>
    Refunding = 3,
}

internal sealed class TopUpTable : IEntityTypeConfiguration<TopUp>
{
    public void Configure(EntityTypeBuilder<TopUp> topUp)
    {
        topUp.ToTable("TopUp");
        topUp.Property(t => t.Id).ValueGeneratedNever();
        topUp.Property(t => t.StartedAt).IsUtc();
        topUp.HasOne<User>().WithMany().HasForeignKey(t => t.UserId).OnDelete(DeleteBehavior.Restrict);
        topUp.HasIndex(t => new { t.UserId, t.StartedAt, t.Id });   // the order of a user's list
        topUp.HasIndex(t => new { t.State, t.StartedAt });   // those that are open
    }
}
