using Microsoft.EntityFrameworkCore;

namespace ServiceDefaults;

/// <summary>Texts on SQL Server.</summary>
public static class SqlServerText
{
    /// <summary>
    /// Compares texts by their characters, as the other databases do: SQL Server would hold two keys that differ in case, or
    /// in trailing accents, for the same. Trailing spaces still count for nothing there.
    /// </summary>
    /// <param name="conventions">The conventions of a context for SQL Server.</param>
    public static void CompareTextExactly(this ModelConfigurationBuilder conventions) =>
        conventions.Properties<string>().UseCollation("Latin1_General_100_BIN2");
}
