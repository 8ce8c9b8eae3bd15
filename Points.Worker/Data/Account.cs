using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Points;

/// <summary>What a user's entries add up to.</summary>
public sealed class Account
{
    public Guid UserId { get; init; }

    public long Balance { get; init; }

    /// <summary>How many entries there are; the newest one's number.</summary>
    public long Entries { get; init; }

    public DateTime UpdatedAt { get; init; }
}

internal sealed class AccountTable : IEntityTypeConfiguration<Account>
{
    public void Configure(EntityTypeBuilder<Account> account)
    {
        account.ToTable("Account");
        account.HasKey(a => a.UserId);
        account.Property(a => a.UserId).ValueGeneratedNever();
        account.Property(a => a.UpdatedAt).IsUtc();
    }
}
