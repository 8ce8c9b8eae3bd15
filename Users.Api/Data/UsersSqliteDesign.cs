using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Users;

/// <summary>How <c>dotnet ef</c> makes the contexts, which need no database to be compared with their migrations.</summary>
internal sealed class UsersSqliteDesign : IDesignTimeDbContextFactory<UsersSqlite>
{
    public UsersSqlite CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<UsersSqlite>().UseSqlite().Options);
}

/// <inheritdoc cref="UsersSqliteDesign"/>
internal sealed class UsersPostgresDesign : IDesignTimeDbContextFactory<UsersPostgres>
{
    public UsersPostgres CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<UsersPostgres>().UseNpgsql().Options);
}

/// <inheritdoc cref="UsersSqliteDesign"/>
internal sealed class UsersSqlServerDesign : IDesignTimeDbContextFactory<UsersSqlServer>
{
    public UsersSqlServer CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<UsersSqlServer>().UseSqlServer().Options);
}
