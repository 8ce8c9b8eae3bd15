using System.Data.Common;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace ServiceDefaults;

/// <summary>Brings a database up to date before the service works with it, one replica at a time.</summary>
/// <param name="db">The context that holds the migrations.</param>
/// <param name="time">For the waiting.</param>
/// <param name="name">The connection string's name, for messages.</param>
internal sealed class MigrateAtStart(DbContext db, TimeProvider time, string name) : IStartStep
{
    private const int SqlServerDuplicateDatabase = 1801;
    private const int SqlServerModelInUse = 1807;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // Any number that nobody else takes for an advisory lock in the same database.
    private const long PostgresTurn = 0x4F7574626F78;

    public async Task Run(CancellationToken cancellationToken)
    {
        try
        {
            // Mostly there is nothing to do, and to find that out takes one read, where migrating compares whole models.
            if (!(await db.Database.GetPendingMigrationsAsync(cancellationToken)).Any())
            {
                return;
            }

            await (db.Database.IsSqlite() ? MigrateFile(cancellationToken) : MigrateServer(cancellationToken));
        }
        catch (Exception exception) when (Failure(exception) is { } failure)
        {
            throw new StartException($"the database of ConnectionStrings__{name} could not be opened or migrated: {failure.Message}", exception);
        }
    }

    private async Task MigrateFile(CancellationToken cancellationToken)
    {
        using var turn = await SqliteMigrationLock.Take(db, time, cancellationToken);
        await SqliteMigrationLock.ClearStaleRow(db, cancellationToken);
        await db.Database.MigrateAsync(cancellationToken);
    }

    private async Task MigrateServer(CancellationToken cancellationToken)
    {
        await CreateMissing(cancellationToken);
        await using var turn = db.Database.IsNpgsql() ? await TakeTurn(cancellationToken) : null;
        await db.Database.MigrateAsync(cancellationToken);
    }

    // EF's own lock lies in the database, which has to exist for it: two replicas that both find none both create it, and
    // the slower one is told that it exists by now.
    private async Task CreateMissing(CancellationToken cancellationToken)
    {
        var creator = db.GetService<IRelationalDatabaseCreator>();
        var started = time.GetTimestamp();
        while (!await creator.ExistsAsync(cancellationToken))
        {
            try
            {
                await creator.CreateAsync(cancellationToken);
                return;
            }
            catch (DbException exception) when (ExistsByNow(exception))
            {
                // The other replica was faster.
                return;
            }
            catch (SqlException exception) when (exception.Number == SqlServerModelInUse && time.GetElapsedTime(started) < Patience)
            {
                // SQL Server makes one database at a time, and another service is making its own.
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }

    // On PostgreSQL EF's lock ends with each migration's transaction, so that two replicas could begin with the same one. A
    // transaction of its own, not a session, holds this one: it ends with the process, and behind a pooler of connections, too.
    private async Task<NpgsqlConnection> TakeTurn(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(db.Database.GetConnectionString());
        try
        {
            await connection.OpenAsync(cancellationToken);
            await connection.BeginTransactionAsync(cancellationToken);
            await using var wait = new NpgsqlCommand("SELECT pg_advisory_xact_lock($1)", connection) { CommandTimeout = 0, Parameters = { new() { Value = PostgresTurn } } };
            await wait.ExecuteNonQueryAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    // EF wraps what it takes for passing.
    private static DbException? Failure(Exception? exception) =>
        exception is null ? null : exception as DbException ?? Failure(exception.InnerException);

    private static bool ExistsByNow(DbException exception) => exception switch
    {
        PostgresException postgres => postgres.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation,
        SqlException sqlServer => sqlServer.Number == SqlServerDuplicateDatabase,
        _ => false,
    };
}
