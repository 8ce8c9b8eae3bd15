using MassTransit;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;

namespace Outbox.Testing;

/// <summary>A database on the SQL Server that <c>OUTBOX_SQLSERVER</c> names, created and dropped by its test.</summary>
internal sealed class SqlServerTestDatabase : TestDatabase
{
    private const string ServerVariable = "OUTBOX_SQLSERVER";
    private const string MaxBatchVariable = "OUTBOX_SQLSERVER_MAXBATCH";

    private readonly string? _server;
    private readonly string _database;

    private SqlServerTestDatabase(string? server, string database)
    {
        (_server, _database) = (server, database);
        ConnectionString = new SqlConnectionStringBuilder(server) { InitialCatalog = database }.ConnectionString;
    }

    /// <summary>Why there is no server; null when there is one.</summary>
    public static string? Missing => Server is null
        ? $"SQL Server is not installed by the tests: set {ServerVariable} to a connection string whose user may create databases."
        : null;

    public override string Name => "SqlServer";

    public override string ConnectionString { get; }

    private static string? Server => Environment.GetEnvironmentVariable(ServerVariable) is { Length: > 0 } value ? value : null;

    public static async Task<SqlServerTestDatabase> CreateAsync()
    {
        var database = new SqlServerTestDatabase(Server, $"outbox_{NewId.NextGuid():N}");
        await database.OnServer($"CREATE DATABASE [{database._database}]");
        return database;
    }

    /// <summary>One that is never connected to: for what the provider says without a server.</summary>
    public static SqlServerTestDatabase Nowhere() => new(server: null, "nowhere");

    public override void Configure(DbContextOptionsBuilder options) => options.UseSqlServer(ConnectionString, sqlServer =>
    {
        if (int.TryParse(Environment.GetEnvironmentVariable(MaxBatchVariable), out var size))
            sqlServer.MaxBatchSize(size);
    });

    public override async ValueTask DisposeAsync()
    {
        if (_server is null)
            return;
        using (var pool = new SqlConnection(ConnectionString))
            SqlConnection.ClearPool(pool);
        await OnServer($"DROP DATABASE [{_database}]");
    }

    private async Task OnServer(string sql)
    {
        await using var connection = new SqlConnection(_server);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }
}
