using MassTransit;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;

namespace Outbox.Testing;

/// <summary>A database on the SQL Server that <c>OUTBOX_SQLSERVER</c> names, created and dropped by its test.</summary>
internal sealed class SqlServerTestDatabase : TestDatabase
{
    private const string ServerVariable = "OUTBOX_SQLSERVER";
    private const string MaxBatchVariable = "OUTBOX_SQLSERVER_MAXBATCH";
    private const string SnapshotVariable = "OUTBOX_SQLSERVER_SNAPSHOT";

    // Making a database wants the model database for itself.
    private static readonly SemaphoreSlim OneAtATime = new(1);

    private readonly string? _server;
    private readonly string _database;

    private SqlServerTestDatabase(string? server, string database)
    {
        (_server, _database) = (server, database);
        // EF gives connections without an application's name another one, and with it a pool of their own. A pool that has
        // seen a server away would say so for up to a minute after it is back.
        ConnectionString = new SqlConnectionStringBuilder(server)
        {
            InitialCatalog = database,
            ApplicationName = "outbox-tests",
            PoolBlockingPeriod = PoolBlockingPeriod.NeverBlock,
        }.ConnectionString;
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
        await Alone(() => database.OnServer($"CREATE DATABASE [{database._database}]"));

        // As EF makes its databases. Nothing may need it, and nothing mind it.
        if (Environment.GetEnvironmentVariable(SnapshotVariable) == "1")
        {
            await database.OnServer($"ALTER DATABASE [{database._database}] SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE");
            await database.OnServer($"ALTER DATABASE [{database._database}] SET ALLOW_SNAPSHOT_ISOLATION ON");
        }

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
        await Alone(async () =>
        {
            try
            {
                // A session that was closed a moment ago may still count as a user.
                await OnServer($"ALTER DATABASE [{_database}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
            }
            catch (SqlException)
            {
                // Not every server that speaks this protocol has it; then the drop is tried until it is done.
            }

            await OnServer($"DROP DATABASE [{_database}]");
        });
    }

    private static async Task Alone(Func<Task> work)
    {
        await OneAtATime.WaitAsync();
        try
        {
            await Eventually.Holds(work);
        }
        finally
        {
            OneAtATime.Release();
        }
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
