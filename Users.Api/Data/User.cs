using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using ServiceDefaults;

namespace Users;

/// <summary>Somebody who registered.</summary>
public sealed class User
{
    internal const int MinName = 3;
    internal const int MaxName = 32;
    internal const int MaxEmail = 254;

    public Guid Id { get; init; }

    public required string UserName { get; init; }

    public required string Email { get; init; }

    /// <summary>The address as it is compared: without case.</summary>
    public required string EmailKey { get; init; }

    public DateTime RegisteredAt { get; init; }

    public static string KeyOf(string email) => email.ToUpperInvariant();
}

internal sealed class UserTable : IEntityTypeConfiguration<User>
{
    public void Configure(EntityTypeBuilder<User> user)
    {
        user.ToTable("User");
        user.Property(u => u.Id).ValueGeneratedNever();
        user.Property(u => u.UserName).HasMaxLength(User.MaxName);
        user.Property(u => u.Email).HasMaxLength(User.MaxEmail);
        user.Property(u => u.EmailKey).HasMaxLength(User.MaxEmail);
        user.Property(u => u.RegisteredAt).IsUtc();
        user.HasIndex(u => u.EmailKey).IsUnique();
        user.HasIndex(u => new { u.RegisteredAt, u.Id });   // the order of the list
    }
}
