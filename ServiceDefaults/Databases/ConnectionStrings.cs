using Microsoft.Data.SqlClient;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Npgsql;

namespace ServiceDefaults;

/// <summary>Reads connection strings and refuses what cannot work, without repeating it: it may hold a password.</summary>
internal static class ConnectionStrings
{
    private const int PreparedStatements = 50;

    public static string Sqlite(this IConfiguration configuration, string name)
    {
        const string expected = "a file, such as 'Data Source=data/users.db'";
        var key = $"ConnectionStrings:{name}";
        var value = configuration.Require(key, expected);
        var parsed = Parse(key, expected, () => new SqliteConnectionStringBuilder(value));
        if (parsed.DataSource is "" or ":memory:" || parsed.Mode == SqliteOpenMode.Memory)
        {
            throw Refuse(key, expected, "it names no file");
        }

        return value;
    }

    public static string Postgres(this IConfiguration configuration, string name)
    {
        const string expected = "such as 'Host=localhost;Database=users;Username=app;Password=...'";
        var key = $"ConnectionStrings:{name}";
        var value = configuration.Require(key, expected);
        var parsed = Parse(key, expected, () => new NpgsqlConnectionStringBuilder(value));
        return (parsed.Host, parsed.Database) switch
        {
            (null or "", _) => throw Refuse(key, expected, "it names no Host"),
            (_, null or "") => throw Refuse(key, expected, "it names no Database"),
            _ => Prepared(value, parsed),
        };
    }

    // The services send the same few statements again and again: prepared, the server need not plan them each time. Behind a
    // pooler that cannot do it, say 'Max Auto Prepare=0'.
    private static string Prepared(string value, NpgsqlConnectionStringBuilder parsed)
    {
        if (value.Replace(" ", "", StringComparison.Ordinal).Contains(nameof(parsed.MaxAutoPrepare), StringComparison.OrdinalIgnoreCase))
        {
            return value;
        }

        parsed.MaxAutoPrepare = PreparedStatements;
        return parsed.ConnectionString;
    }

    public static string SqlServer(this IConfiguration configuration, string name)
    {
        const string expected = "such as 'Server=localhost;Database=users;User Id=sa;Password=...;TrustServerCertificate=true'";
        var key = $"ConnectionStrings:{name}";
        var value = configuration.Require(key, expected);
        var parsed = Parse(key, expected, () => new SqlConnectionStringBuilder(value));
        return (parsed.DataSource, parsed.InitialCatalog) switch
        {
            ("", _) => throw Refuse(key, expected, "it names no Server"),
            (_, "") => throw Refuse(key, expected, "it names no Database"),
            _ => value,
        };
    }

    private static T Parse<T>(string key, string expected, Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidCastException)
        {
            throw Refuse(key, expected, "it cannot be read");
        }
    }

    private static StartException Refuse(string key, string expected, string why) =>
        new($"{Settings.EnvironmentName(key)} is not a connection string that can work, {why}: expected one {expected}.");
}
