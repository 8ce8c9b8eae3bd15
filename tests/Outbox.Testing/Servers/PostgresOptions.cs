namespace Outbox.Testing;

/// <summary>How a private PostgreSQL server is started.</summary>
public sealed record PostgresOptions
{
    /// <summary>
    /// Whether commits reach the disk (default true). Killing the server loses nothing either way, only a crash of
    /// the machine would.
    /// </summary>
    public bool Fsync { get; init; } = true;

    /// <summary>How many connections it accepts (default 300).</summary>
    public int MaxConnections { get; init; } = 300;

    /// <summary>Further settings, by their names in <c>postgresql.conf</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}
