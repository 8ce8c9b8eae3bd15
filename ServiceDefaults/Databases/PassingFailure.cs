using System.Data.Common;
using Microsoft.Data.SqlClient;
using Outbox.Databases;

namespace ServiceDefaults;

/// <summary>Recognises that a database is away, busy or in contention, so that the same request is worth another try.</summary>
internal static class PassingFailure
{
    // SQL Server's driver leaves IsTransient at false.
    public static bool IsPassing(this DbException exception) => exception is SqlException sqlServer
        ? SqlServerErrors.IsAway(sqlServer.Number, sqlServer.Class) || SqlServerErrors.IsContention(sqlServer.Number)
        : exception.IsTransient;

    /// <summary>Whether a command was given up as it was asked to be: other drivers than SQL Server's throw an <see cref="OperationCanceledException"/>.</summary>
    public static bool IsGivenUp(this DbException exception) =>
        exception is SqlException sqlServer && SqlServerErrors.IsGivenUp(sqlServer.Number, sqlServer.Class);
}
