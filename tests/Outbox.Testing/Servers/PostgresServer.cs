using System.Globalization;
using MassTransit;
using Npgsql;

namespace Outbox.Testing;

/// <summary>
/// A PostgreSQL server for tests: the one named by <c>OUTBOX_POSTGRES</c> (a connection string whose user may create
/// databases), else a private one, started from the machine's own binaries.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static readonly Lazy<Task<PostgresServer>> Shared = new(() =>
        Named is { } connectionString ? Task.FromResult(new PostgresServer(connectionString)) : StartNewAsync());

    private readonly PrivatePostgres? _process;

    private PostgresServer(string connectionString, PrivatePostgres? process = null)
    {
        ConnectionString = connectionString;
        _process = process;
    }

    /// <summary>Why there is no server to test with; null when there is one.</summary>
    public static string? Missing => Named is null ? MissingBinaries : null;

    /// <summary>Why no private server can be started; null when one can.</summary>
    public static string? MissingBinaries => PostgresBinaries.Find() is not null ? null
        : "No PostgreSQL: set OUTBOX_POSTGRES to a connection string, or install it (Debian, Ubuntu: apt-get install postgresql).";

    /// <summary>Connects to the server's maintenance database.</summary>
    public string ConnectionString { get; }

    private static string? Named => Environment.GetEnvironmentVariable("OUTBOX_POSTGRES") is { Length: > 0 } named ? named : null;

    /// <summary>Whether it runs; one that is not ours always does.</summary>
    public bool IsRunning => _process?.IsRunning ?? true;

    private PrivatePostgres Process =>
        _process ?? throw new InvalidOperationException("The server of OUTBOX_POSTGRES is not ours to stop; ask for a private one.");

    /// <summary>The server that all tests of this process share; started by the first who asks, never stopped by one.</summary>
    public static Task<PostgresServer> SharedAsync() => Shared.Value;

    /// <summary>Starts a server of one's own on a free port, with an empty data folder.</summary>
    public static async Task<PostgresServer> StartNewAsync(PostgresOptions? options = null)
    {
        var process = await PrivatePostgres.CreateAsync(options ?? new PostgresOptions());
        await process.StartAsync();
        return new PostgresServer(process.ConnectionString, process);
    }

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"outbox_test_{NewId.NextGuid():N}";
        await ExecuteAsync($"CREATE DATABASE {name}");
        return new NpgsqlConnectionStringBuilder(ConnectionString) { Database = name }.ConnectionString;
    }

    /// <summary>Drops a database, with the connections it still has; a server that was stopped keeps it.</summary>
    /// <param name="connectionString">As <see cref="CreateDatabaseAsync"/> gave it.</param>
    public async Task DropDatabaseAsync(string connectionString)
    {
        await using (var pool = new NpgsqlConnection(connectionString))
            NpgsqlConnection.ClearPool(pool);
        if (!IsRunning)
            return;
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
    }

    /// <summary>Stops the private server in good order; clients are disconnected.</summary>
    public Task StopAsync() => Process.StopAsync(UnixSignal.Interrupt);

    /// <summary>Stops the private server as a crash would: nothing is flushed, the next start recovers from the log.</summary>
    public Task KillAsync() => Process.StopAsync(UnixSignal.Quit);

    /// <summary>Starts the private server again, on the same port, with its data.</summary>
    public Task StartAsync() => Process.StartAsync();

    /// <summary>Stops and starts the private server.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    /// <summary>Runs one statement in the maintenance database.</summary>
    public async Task ExecuteAsync(string sql)
    {
        // Without a pool: a pooled connection to a server that was restarted would be a dead one.
        var unpooled = new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString;
        await using var connection = new NpgsqlConnection(unpooled);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Ends the private server and deletes its data; a server that was named stays as it is.</summary>
    public ValueTask DisposeAsync() => _process?.DisposeAsync() ?? ValueTask.CompletedTask;
}
