using Microsoft.Extensions.Configuration;

namespace ServiceDefaults;

/// <summary>The databases that the services run on.</summary>
public enum DatabaseProvider
{
    /// <summary>A file per service, for one process.</summary>
    Sqlite,

    /// <summary>PostgreSQL 15 or later, for any number of replicas.</summary>
    Postgres,
}

/// <summary>Reads which database is meant.</summary>
public static class DatabaseProviderSetting
{
    private const string Key = "Database:Provider";

    /// <summary>The configured provider.</summary>
    /// <exception cref="StartException">It is missing, unknown or not in this build.</exception>
    public static DatabaseProvider DatabaseProvider(this IConfiguration configuration)
    {
        var value = configuration.Require(Key, "Sqlite or Postgres");
        return value.ToUpperInvariant() switch
        {
            "SQLITE" => ServiceDefaults.DatabaseProvider.Sqlite,
            "POSTGRES" => ServiceDefaults.DatabaseProvider.Postgres,
            "SQLSERVER" => throw Refuse(value, ", which is not available in this build"),
            _ => throw Refuse(value, ""),
        };
    }

    private static StartException Refuse(string value, string why) =>
        new($"{Settings.EnvironmentName(Key)} is '{value}'{why}: expected Sqlite or Postgres.");
}
