using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace ServiceDefaults;

/// <summary>Lets SQLite itself wait for its write lock.</summary>
/// <remarks>
/// SQLite looks again after 1, 2, 5, ... ms; left to itself, the driver sleeps 150 ms between two looks, which is felt
/// when a request and a consumer write to one file.
/// </remarks>
internal sealed class PatientSqlite : DbConnectionInterceptor
{
    public static readonly PatientSqlite Instance = new();

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
    {
        using var command = Wait(connection);
        command.ExecuteNonQuery();
    }

    public override async Task ConnectionOpenedAsync(
        DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        await using var command = Wait(connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static DbCommand Wait(DbConnection connection)
    {
        var command = connection.CreateCommand();
        command.CommandText = "PRAGMA busy_timeout = 5000";
        return command;
    }
}
