using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Outbox;

namespace MassTransit;

/// <summary>The marker of local work that is in another database than the outbox.</summary>
public static class HalfMessageMarkerExtensions
{
    /// <summary>Adds the markers' table, <see cref="HalfMessageMarker"/>, to the model of the local work's database.</summary>
    /// <param name="modelBuilder">The model.</param>
    /// <param name="configure">Changes the table's name, schema or columns.</param>
    public static void AddHalfMessageMarkerEntity(this ModelBuilder modelBuilder, Action<EntityTypeBuilder<HalfMessageMarker>>? configure = null)
    {
        var marker = modelBuilder.Entity<HalfMessageMarker>();
        marker.ToTable("HalfMessageMarker");
        marker.HasKey(m => m.MessageId);
        marker.Property(m => m.MessageId).ValueGeneratedNever();
        configure?.Invoke(marker);
    }

    /// <summary>
    /// Marks the work of a half message as done, with the next save: that save fails on the marker's key when the check-back
    /// has rolled the work back before, and saves nothing.
    /// </summary>
    /// <param name="dbContext">The DbContext that saves the work.</param>
    /// <param name="half">The half message that reports the work.</param>
    public static void MarkDone(this DbContext dbContext, IHalfMessage half)
        => dbContext.Add(new HalfMessageMarker { MessageId = half.MessageId, Done = true });
}
