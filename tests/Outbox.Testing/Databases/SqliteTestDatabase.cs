using Microsoft.EntityFrameworkCore;

namespace Outbox.Testing;

internal sealed class SqliteTestDatabase : TestDatabase
{
    private readonly SqliteFile _file = new();

    public override string Name => "Sqlite";

    public override string ConnectionString => _file.ConnectionString;

    public override void Configure(DbContextOptionsBuilder options) => options.UseSqlite(ConnectionString);

    public override ValueTask DisposeAsync()
    {
        _file.Dispose();
        return ValueTask.CompletedTask;
    }
}
