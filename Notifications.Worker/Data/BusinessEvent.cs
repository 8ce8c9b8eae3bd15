using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>Something that happened and that receivers are told of, stored once per type and business key.</summary>
public sealed class BusinessEvent
{
    internal const int MaxType = 64;
    internal const int MaxBusinessKey = 100;

    public Guid Id { get; init; }

    public required string Type { get; init; }

    public required string BusinessKey { get; init; }

    /// <summary>What happened, as JSON.</summary>
    public required string Data { get; init; }

    public DateTime OccurredAt { get; init; }
}

internal sealed class BusinessEventTable : IEntityTypeConfiguration<BusinessEvent>
{
    public void Configure(EntityTypeBuilder<BusinessEvent> table)
    {
        table.ToTable("BusinessEvent");
        table.Property(e => e.Id).ValueGeneratedNever();
        table.Property(e => e.Type).HasMaxLength(BusinessEvent.MaxType);
        table.Property(e => e.BusinessKey).HasMaxLength(BusinessEvent.MaxBusinessKey);
        table.Property(e => e.OccurredAt).IsUtc();
        table.HasIndex(e => new { e.Type, e.BusinessKey }).IsUnique();
    }
}
