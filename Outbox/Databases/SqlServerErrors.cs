namespace Outbox.Databases;

/// <summary>
/// What the numbers and severities of SQL Server's errors say. Plain numbers, so that a project that references the driver can
/// compile this file as well.
/// </summary>
internal static class SqlServerErrors
{
    private const int DeadlockVictim = 1205;
    private const int LockTimeout = 1222;
    private const int SnapshotConflict = 3960;

    // The driver's own, when it has given up a command because it was asked to.
    private const int NoNumber = 0;
    private const byte GivenUp = 11;

    // From this severity on the connection is gone; the errors of connecting have it too, and on Linux no number.
    private const byte ConnectionGone = 20;

    // Time-out, and the numbers by which a server, or one of its databases, does not take connections, is changing hands or
    // has no room (memory, locks, disk) for the work just now.
    private static readonly int[] Away =
    [
        -2, 596, 701, 802, 921, 922, 927, 952, 976, 983, 1101, 1105, 1204, 4060, 6005, 8645, 8651, 9002, 10928, 10929, 17142, 17197, 18401,
        40197, 40501, 40613, 49918, 49919, 49920,
    ];

    /// <summary>Whether a statement failed only because others were at the same rows.</summary>
    public static bool IsContention(int number) => number is DeadlockVictim or LockTimeout or SnapshotConflict;

    /// <summary>Whether a statement failed because the database is away for a while.</summary>
    public static bool IsAway(int? number, byte? severity) => severity >= ConnectionGone || (number is { } known && Away.Contains(known));

    /// <summary>Whether a statement failed because its caller did not want it any more.</summary>
    public static bool IsGivenUp(int number, byte severity) => number == NoNumber && severity == GivenUp;
}
