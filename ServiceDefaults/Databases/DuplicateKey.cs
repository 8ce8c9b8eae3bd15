using Microsoft.Data.SqlClient;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace ServiceDefaults;

/// <summary>Recognises the error that a unique index raises.</summary>
public static class DuplicateKey
{
    // SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE
    private const int SqlitePrimaryKey = 1555;
    private const int SqliteUnique = 2067;

    // A constraint's key, and an index's
    private const int SqlServerConstraint = 2627;
    private const int SqlServerIndex = 2601;

    /// <summary>Whether saving failed because a row with that key is there already.</summary>
    public static bool IsDuplicateKey(this DbUpdateException exception) => exception.InnerException switch
    {
        PostgresException postgres => postgres.SqlState == PostgresErrorCodes.UniqueViolation,
        SqliteException sqlite => sqlite.SqliteExtendedErrorCode is SqlitePrimaryKey or SqliteUnique,
        SqlException sqlServer => sqlServer.Number is SqlServerConstraint or SqlServerIndex,
        _ => false,
    };
}
