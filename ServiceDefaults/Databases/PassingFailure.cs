using System.Data.Common;
using Microsoft.Data.SqlClient;

namespace ServiceDefaults;

/// <summary>Recognises that a database is away, busy or in contention, so that the same request is worth another try.</summary>
internal static class PassingFailure
{
    // From this severity on the connection is gone; the errors of connecting have it too, and on Linux no number.
    private const byte ConnectionGone = 20;

    // Time-out; the victim of a deadlock, a lock's time-out, a conflict of snapshots; and the numbers by which a server, or one of
    // its databases, does not take connections or has no room for the work just now.
    private static readonly int[] SqlServerNumbers =
    [
        -2, 1205, 1222, 3960, 596, 701, 921, 922, 927, 976, 983, 1204, 4060, 6005, 8645, 8651, 10928, 10929, 17142, 17197, 18401, 40197, 40501,
        40613, 49918, 49919, 49920,
    ];

    // SQL Server's driver leaves IsTransient at false.
    public static bool IsPassing(this DbException exception) => exception is SqlException sqlServer
        ? sqlServer.Class >= ConnectionGone || SqlServerNumbers.Contains(sqlServer.Number)
        : exception.IsTransient;
}
