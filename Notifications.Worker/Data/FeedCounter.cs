using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Notifications;

/// <summary>The one row that whoever numbers notifications locks first.</summary>
public sealed class FeedCounter
{
    internal const int TheOne = 1;

    public int Id { get; init; } = TheOne;

    /// <summary>The last position given.</summary>
    public long Last { get; init; }
}

internal sealed class FeedCounterTable : IEntityTypeConfiguration<FeedCounter>
{
    public void Configure(EntityTypeBuilder<FeedCounter> counter)
    {
        counter.ToTable("FeedCounter");
        counter.Property(c => c.Id).ValueGeneratedNever();
        counter.HasData(new FeedCounter());
    }
}
