using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Users;

/// <summary>The answer to a request that carried an <c>Idempotency-Key</c>, kept to give it again.</summary>
public sealed class StoredAnswer
{
    internal const int MaxKey = 255;

    /// <summary>The client's key. Its uniqueness is what makes a concurrent twin wait.</summary>
    public required string Key { get; init; }

    /// <summary>SHA-256 of the request that was answered, in hex.</summary>
    public required string RequestHash { get; init; }

    public int Status { get; init; }

    public required string Location { get; init; }

    /// <summary>The body, byte for byte.</summary>
    public required string Body { get; set; }

    public DateTime ExpiresAt { get; init; }
}

internal sealed class StoredAnswerTable : IEntityTypeConfiguration<StoredAnswer>
{
    public void Configure(EntityTypeBuilder<StoredAnswer> answer)
    {
        answer.ToTable("StoredAnswer");
        answer.HasKey(a => a.Key);
        answer.Property(a => a.Key).HasMaxLength(StoredAnswer.MaxKey);
        answer.Property(a => a.RequestHash).HasMaxLength(64);
        answer.Property(a => a.Location).HasMaxLength(200);
        answer.Property(a => a.ExpiresAt).IsUtc();
        answer.HasIndex(a => a.ExpiresAt);   // the clean-up
    }
}
