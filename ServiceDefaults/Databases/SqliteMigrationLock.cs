using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace ServiceDefaults;

/// <summary>Who migrates a SQLite file: the process that holds the lock file beside it.</summary>
/// <remarks>
/// EF's own lock on SQLite is a row, and a process that is killed while it migrates leaves it for ever. The operating
/// system frees a file lock the moment its process dies; so whoever holds it knows that such a row is stale.
/// </remarks>
internal static class SqliteMigrationLock
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    public static async Task<IDisposable> Take(DbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var file = new SqliteConnectionStringBuilder(db.Database.GetConnectionString()).DataSource;
        var path = Path.GetFullPath(file) + ".migration.lock";
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (Exception exception) when (exception is UnauthorizedAccessException or DirectoryNotFoundException)
            {
                throw new StartException($"the folder of the database cannot be written to: {exception.Message}", exception);
            }
            catch (IOException exception) when (time.GetElapsedTime(started) >= Patience)
            {
                throw new StartException($"another process has been migrating {file} for a minute.", exception);
            }
            catch (IOException)
            {
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }

    public static async Task ClearStaleRow(DbContext db, CancellationToken cancellationToken)
    {
        var tables = await db.Database
            .SqlQuery<int>($"SELECT count(*) AS \"Value\" FROM sqlite_master WHERE name = '__EFMigrationsLock'")
            .SingleAsync(cancellationToken);
        if (tables > 0)
        {
            await db.Database.ExecuteSqlAsync($"DELETE FROM \"__EFMigrationsLock\"", cancellationToken);
        }
    }
}
