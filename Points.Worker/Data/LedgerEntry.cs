using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Points;

/// <summary>One credit. Entries are only ever added.</summary>
public sealed class LedgerEntry
{
    internal const int MaxReason = 32;
    internal const int MaxBusinessKey = 100;

    public Guid Id { get; init; }

    public Guid UserId { get; init; }

    /// <summary>1, 2, 3, ... within the account, without gaps.</summary>
    public long Number { get; init; }

    public long Amount { get; init; }

    /// <summary>The account's balance after this entry.</summary>
    public long Balance { get; init; }

    public required string Reason { get; init; }

    /// <summary>Names the fact that is credited, whichever message told of it. Its uniqueness is the last line of defence.</summary>
    public required string BusinessKey { get; init; }

    public DateTime CreditedAt { get; init; }
}

internal sealed class LedgerEntryTable : IEntityTypeConfiguration<LedgerEntry>
{
    public void Configure(EntityTypeBuilder<LedgerEntry> entry)
    {
        entry.ToTable("LedgerEntry");
        entry.Property(e => e.Id).ValueGeneratedNever();
        entry.Property(e => e.Reason).HasMaxLength(LedgerEntry.MaxReason);
        entry.Property(e => e.BusinessKey).HasMaxLength(LedgerEntry.MaxBusinessKey);
        entry.Property(e => e.CreditedAt).IsUtc();
        entry.HasIndex(e => e.BusinessKey).IsUnique();
        entry.HasIndex(e => new { e.UserId, e.Number }).IsUnique();
    }
}
