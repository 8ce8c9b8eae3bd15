using System.Data.Common;
using Microsoft.Data.SqlClient;
using Outbox.Databases;

namespace ServiceDefaults;

/// <summary>Recognises that a database is away, busy or in contention, so that the same request is worth another try.</summary>
public static class PassingFailure
{
    /// <summary>Whether it is one, or was caused by one.</summary>
    public static bool IsPassing(this Exception? exception) => Any(exception, IsPassing);

    /// <summary>
    /// Whether it is, or was caused by, a command that was given up as it was asked to be: other drivers than SQL Server's throw an
    /// <see cref="OperationCanceledException"/>.
    /// </summary>
    public static bool IsGivenUp(this Exception? exception) => Any(
        exception, failure => failure is SqlException sqlServer && SqlServerErrors.IsGivenUp(sqlServer.Number, sqlServer.Class));

    // SQL Server's driver leaves IsTransient at false.
    private static bool IsPassing(DbException exception) => exception is SqlException sqlServer
        ? SqlServerErrors.IsAway(sqlServer.Number, sqlServer.Class) || SqlServerErrors.IsContention(sqlServer.Number)
        : exception.IsTransient;

    private static bool Any(Exception? exception, Predicate<DbException> which) =>
        exception is not null && ((exception is DbException failure && which(failure)) || Any(exception.InnerException, which));
}
