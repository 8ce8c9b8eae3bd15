using System.Data.Common;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace ServiceDefaults;

/// <summary>Brings a database up to date before the service works with it, one replica at a time.</summary>
/// <param name="db">The context that holds the migrations.</param>
/// <param name="time">For the waiting.</param>
/// <param name="name">The connection string's name, for messages.</param>
internal sealed class MigrateAtStart(DbContext db, TimeProvider time, string name) : IStartStep
{
    private const int SqlServerDuplicateDatabase = 1801;

    private const int MostTurns = 20;

    public async Task Run(CancellationToken cancellationToken)
    {
        try
        {
            await (db.Database.IsSqlite() ? MigrateFile(cancellationToken) : MigrateServer(cancellationToken));
        }
        catch (DbException exception)
        {
            throw new StartException(
                $"the database of ConnectionStrings__{name} could not be opened or migrated: {exception.Message}", exception);
        }
    }

    private async Task MigrateFile(CancellationToken cancellationToken)
    {
        using var turn = await SqliteMigrationLock.Take(db, time, cancellationToken);
        await SqliteMigrationLock.ClearStaleRow(db, cancellationToken);
        await db.Database.MigrateAsync(cancellationToken);
    }

    // EF's own lock lies in the database, which has to exist for it: two replicas that both find none both create it, and
    // the slower one is told that it exists by now. On PostgreSQL the lock ends with each migration's transaction, so that
    // two may begin with the same one. A migration is applied whole or not at all: beginning anew goes on after the other.
    private async Task MigrateServer(CancellationToken cancellationToken)
    {
        for (var left = MostTurns; ; left--)
        {
            try
            {
                await db.Database.MigrateAsync(cancellationToken);
                return;
            }
            catch (DbException exception) when (left > 0 && ExistsByNow(exception))
            {
                // The other replica was faster.
            }
        }
    }

    private static bool ExistsByNow(DbException exception) => exception switch
    {
        PostgresException postgres => postgres.SqlState
            is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateColumn
            or PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.UniqueViolation,
        SqlException sqlServer => sqlServer.Number == SqlServerDuplicateDatabase,
        _ => false,
    };
}
