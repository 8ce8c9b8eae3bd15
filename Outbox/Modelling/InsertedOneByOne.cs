using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Outbox.Modelling;

/// <summary>
/// On SQL Server, EF inserts many rows by one <c>MERGE</c>, and no order is promised for the numbers that its rows get. Rows
/// that name different columns are not put into one statement; so every other row leaves out a column that has a default
/// (docs/adr/0004).
/// </summary>
internal static class InsertedOneByOne
{
    private const int LeftOut = -1;

    /// <summary>Whether the model is SQL Server's: its provider says so on every model, before it is built.</summary>
    public static bool IsSqlServer(this IReadOnlyModel model) => model.FindAnnotation("SqlServer:ValueGenerationStrategy") is not null;

    /// <summary>Gives the column a default, and a value by which a row leaves the column out.</summary>
    public static void Model(EntityTypeBuilder<OutboxMessage> outbox) => outbox.Property(m => m.Attempts).HasDefaultValue(0).HasSentinel(LeftOut);

    /// <summary>Makes every other of the rows that are about to be inserted leave the column out. Elsewhere does nothing.</summary>
    public static void Alternate(IReadOnlyList<EntityEntry<OutboxMessage>> added)
    {
        if (added.Count < 2 || !LeftOut.Equals(added[0].Property(m => m.Attempts).Metadata.Sentinel))
            return;

        // By the temporary numbers, by which EF orders them.
        var leaveOut = false;
        foreach (var row in added.OrderBy(e => e.Property(m => m.SequenceNumber).CurrentValue))
        {
            row.Entity.Attempts = leaveOut ? LeftOut : 0;
            leaveOut = !leaveOut;
        }
    }
}
