using Microsoft.Data.Sqlite;

namespace Outbox.Testing;

/// <summary>A SQLite database file in a folder of its own; disposing deletes both.</summary>
public sealed class SqliteFile : IDisposable
{
    /// <summary>The folder; what else belongs to the database (a lock file) may lie in it too.</summary>
    public string Folder { get; } = Leftovers.NewFolder("sqlite");

    /// <summary>The file, which comes into being with the first connection.</summary>
    public string FilePath => Path.Combine(Folder, "test.db");

    /// <summary>Connects to the file.</summary>
    public string ConnectionString => new SqliteConnectionStringBuilder { DataSource = FilePath }.ConnectionString;

    /// <inheritdoc/>
    public void Dispose()
    {
        using (var pool = new SqliteConnection(ConnectionString))
            SqliteConnection.ClearPool(pool);
        Directory.Delete(Folder, recursive: true);
    }
}
