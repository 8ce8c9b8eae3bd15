using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Points;

/// <summary>How <c>dotnet ef</c> makes the contexts, which need no database to be compared with their migrations.</summary>
internal sealed class PointsSqliteDesign : IDesignTimeDbContextFactory<PointsSqlite>
{
    public PointsSqlite CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<PointsSqlite>().UseSqlite().Options);
}

/// <inheritdoc cref="PointsSqliteDesign"/>
internal sealed class PointsPostgresDesign : IDesignTimeDbContextFactory<PointsPostgres>
{
    public PointsPostgres CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<PointsPostgres>().UseNpgsql().Options);
}

/// <inheritdoc cref="PointsSqliteDesign"/>
internal sealed class PointsSqlServerDesign : IDesignTimeDbContextFactory<PointsSqlServer>
{
    public PointsSqlServer CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<PointsSqlServer>().UseSqlServer().Options);
}
