using System.Globalization;
using Npgsql;

namespace Outbox.Testing;

/// <summary>A PostgreSQL server process with a data folder and a port of its own.</summary>
internal sealed class PrivatePostgres : IAsyncDisposable
{
    private readonly PostgresBinaries _binaries;
    private readonly string _folder;
    private readonly string[] _arguments;
    private ChildProcess? _process;

    private PrivatePostgres(PostgresBinaries binaries, string folder, int port, PostgresOptions options)
    {
        _binaries = binaries;
        _folder = folder;
        ConnectionString = new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = port,
            Username = "postgres",
            Database = "postgres",
        }.ConnectionString;

        var settings = new Dictionary<string, string>(options.Settings, StringComparer.Ordinal)
        {
            ["port"] = port.ToString(CultureInfo.InvariantCulture),
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = "",
            ["max_connections"] = options.MaxConnections.ToString(CultureInfo.InvariantCulture),
            ["fsync"] = options.Fsync ? "on" : "off",
        };
        _arguments = ["-D", Data, .. settings.SelectMany(setting => new[] { "-c", $"{setting.Key}={setting.Value}" })];
    }

    public string ConnectionString { get; }

    public bool IsRunning => _process is { HasExited: false };

    private string Data => Path.Combine(_folder, "data");

    public static async Task<PrivatePostgres> CreateAsync(PostgresOptions options)
    {
        var binaries = PostgresBinaries.Find() ?? throw new InvalidOperationException(PostgresServer.MissingBinaries);
        var server = new PrivatePostgres(binaries, Leftovers.NewFolder("postgres"), FreePort.Next(), options);
        var (initdb, arguments) = binaries.Command(
            "initdb", "-D", server.Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
        await ChildProcess.RunAsync(initdb, arguments);
        return server;
    }

    public async Task StartAsync()
    {
        if (IsRunning)
            return;

        var (postgres, arguments) = _binaries.Command("postgres", _arguments);
        var process = _process = ChildProcess.Start(postgres, arguments, workingDirectory: _folder, endedBy: UnixSignal.Quit);
        await Eventually.Is(async () => process.HasExited || await AnswersAsync());
        if (process.HasExited)
            throw new InvalidOperationException($"PostgreSQL ended at its start with {process.ExitCode}.{process.Tail()}");
    }

    public async Task StopAsync(UnixSignal signal)
    {
        if (_process is { } process)
            await process.StopAsync(signal);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(UnixSignal.Quit);
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<bool> AnswersAsync()
    {
        await using var connection = new NpgsqlConnection($"{ConnectionString};Pooling=false");
        await connection.OpenAsync();
        return true;
    }
}
