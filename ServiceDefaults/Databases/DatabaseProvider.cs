using Microsoft.Extensions.Configuration;

namespace ServiceDefaults;

/// <summary>The databases that the services run on.</summary>
public enum DatabaseProvider
{
    /// <summary>A file per service, for one process.</summary>
    Sqlite,

    /// <summary>PostgreSQL 15 or later, for any number of replicas.</summary>
    Postgres,

    /// <summary>SQL Server 2019 or later, for any number of replicas.</summary>
    SqlServer,
}

/// <summary>Reads which database is meant.</summary>
public static class DatabaseProviderSetting
{
    private const string Key = "Database:Provider";
    private const string Expected = "Sqlite, Postgres or SqlServer";

    /// <summary>The configured provider.</summary>
    /// <exception cref="StartException">It is missing or unknown.</exception>
    public static DatabaseProvider DatabaseProvider(this IConfiguration configuration)
    {
        var value = configuration.Require(Key, Expected);
        return value.ToUpperInvariant() switch
        {
            "SQLITE" => ServiceDefaults.DatabaseProvider.Sqlite,
            "POSTGRES" => ServiceDefaults.DatabaseProvider.Postgres,
            "SQLSERVER" => ServiceDefaults.DatabaseProvider.SqlServer,
            _ => throw new StartException($"{Settings.EnvironmentName(Key)} is '{value}': expected {Expected}."),
        };
    }
}
