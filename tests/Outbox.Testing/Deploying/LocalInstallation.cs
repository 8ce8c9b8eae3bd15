using Microsoft.Data.Sqlite;

namespace Outbox.Testing;

/// <summary>Local with a data folder of its own, which stays over every restart.</summary>
public sealed class LocalInstallation : IAsyncDisposable
{
    /// <summary>Describes it; nothing is started yet.</summary>
    public LocalInstallation()
    {
        Replica = new ServiceReplica(
            "Local", "Local", ("LOCAL_PORT", "{0}"), new Dictionary<string, string?>(StringComparer.Ordinal) { ["LOCAL_DATA"] = Folder });
        Books = new Books(Open);
    }

    /// <summary>Where it keeps everything.</summary>
    public string Folder { get; } = Leftovers.NewFolder("local");

    /// <summary>The process.</summary>
    public ServiceReplica Replica { get; }

    /// <summary>What its databases hold.</summary>
    public Books Books { get; }

    /// <summary>Its HTTP APIs; it must have been started once.</summary>
    public ShopClient Client =>
        new(Replica.Address, Replica.Address, Replica.Address, File.ReadAllText(Path.Combine(Folder, "receiver.key")).Trim());

    /// <summary>Starts it and waits until it can work.</summary>
    public Task StartAsync() => Deployment.StartAsync([Replica]);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Replica.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private SqliteConnection Open(string name) => new(new SqliteConnectionStringBuilder
    {
        DataSource = Path.Combine(Folder, $"{name.ToLowerInvariant()}.db"),
        Pooling = false,
    }.ConnectionString);
}
