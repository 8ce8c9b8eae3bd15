using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace ServiceDefaults;

/// <summary>Times as the services keep them: UTC, to the millisecond.</summary>
public static class UtcTime
{
    /// <summary>Now, to the millisecond: finer parts would not survive every database, and an answer would change.</summary>
    public static DateTime UtcNow(this TimeProvider time)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMillisecond));
    }

    /// <summary>The column holds UTC, and is read back as UTC where the database does not say so itself.</summary>
    public static PropertyBuilder<DateTime> IsUtc(this PropertyBuilder<DateTime> property) =>
        property.HasConversion(value => value, value => DateTime.SpecifyKind(value, DateTimeKind.Utc));

    /// <inheritdoc cref="IsUtc(PropertyBuilder{DateTime})"/>
    public static PropertyBuilder<DateTime?> IsUtc(this PropertyBuilder<DateTime?> property) =>
        property.HasConversion(value => value, value => value == null ? null : DateTime.SpecifyKind(value.Value, DateTimeKind.Utc));
}
