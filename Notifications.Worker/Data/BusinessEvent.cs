using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>Something that happened and that receivers are told of, stored once per type and business key.</summary>
public sealed class BusinessEvent
{
    internal const int MaxType = 64;
    internal const int MaxBusinessKey = 100;
    internal const int MaxTraceParent = 55;

    /// <summary>What the Standard Webhooks specification recommends as the most that a body has.</summary>
    internal const int MaxBody = 20 * 1024;

    public Guid Id { get; init; }

    public required string Type { get; init; }

    public required string BusinessKey { get; init; }

    /// <summary>
    /// <c>{type, timestamp, data}</c> as JSON, the very bytes that are signed and sent; null once they have been kept long
    /// enough.
    /// </summary>
    public byte[]? Body { get; set; }

    public DateTime OccurredAt { get; init; }

    /// <summary>The W3C trace context of what caused it, sent along; null when it was not traced.</summary>
    public string? TraceParent { get; init; }

    public DateTime CreatedAt { get; init; }
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
        table.Property(e => e.TraceParent).HasMaxLength(BusinessEvent.MaxTraceParent);
        table.Property(e => e.CreatedAt).IsUtc();
        table.HasIndex(e => new { e.Type, e.BusinessKey }).IsUnique();
        table.HasIndex(e => e.CreatedAt).HasFilter("\"Body\" IS NOT NULL");   // the retention's way to what is oldest
    }
}
