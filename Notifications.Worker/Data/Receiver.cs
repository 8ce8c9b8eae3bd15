using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Notifications;

/// <summary>Somebody who is to be told, and who may ask.</summary>
public sealed class Receiver
{
    internal const int MaxName = 64;

    public Guid Id { get; init; }

    public required string Name { get; init; }

    /// <summary>SHA-256 of the receiver's API key, in hex. The key itself is kept nowhere.</summary>
    public required string ApiKeyHash { get; set; }

    /// <summary>That of the key before, which is good too until <see cref="PreviousApiKeyUntil"/>; null: there is none.</summary>
    public string? PreviousApiKeyHash { get; set; }

    public DateTime? PreviousApiKeyUntil { get; set; }

    /// <summary>What it is told of, as <see cref="EventTypeList"/> writes it; null: everything.</summary>
    public string? EventTypes { get; set; }

    public DateTime CreatedAt { get; init; }
}

internal sealed class ReceiverTable : IEntityTypeConfiguration<Receiver>
{
    public void Configure(EntityTypeBuilder<Receiver> receiver)
    {
        receiver.ToTable("Receiver");
        receiver.Property(r => r.Id).ValueGeneratedNever();
        receiver.Property(r => r.Name).HasMaxLength(Receiver.MaxName);
        receiver.Property(r => r.ApiKeyHash).HasMaxLength(64);
        receiver.Property(r => r.PreviousApiKeyHash).HasMaxLength(64);
        receiver.Property(r => r.PreviousApiKeyUntil).IsUtc();
        receiver.Property(r => r.EventTypes).HasMaxLength(EventTypeList.MaxLength);
        receiver.Property(r => r.CreatedAt).IsUtc();
        receiver.HasIndex(r => r.Name).IsUnique();
        receiver.HasIndex(r => r.ApiKeyHash).IsUnique();
        receiver.HasIndex(r => r.PreviousApiKeyHash);
    }
}
