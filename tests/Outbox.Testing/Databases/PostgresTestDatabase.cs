using Microsoft.EntityFrameworkCore;

namespace Outbox.Testing;

internal sealed class PostgresTestDatabase : TestDatabase
{
    private readonly PostgresServer _server;

    private PostgresTestDatabase(PostgresServer server, string connectionString)
    {
        _server = server;
        ConnectionString = connectionString;
    }

    public override string Name => "Postgres";

    public override string ConnectionString { get; }

    public static async Task<PostgresTestDatabase> CreateAsync(PostgresServer server) =>
        new(server, await server.CreateDatabaseAsync());

    public override void Configure(DbContextOptionsBuilder options) => options.UseNpgsql(ConnectionString);

    public override async ValueTask DisposeAsync() => await _server.DropDatabaseAsync(ConnectionString);
}
