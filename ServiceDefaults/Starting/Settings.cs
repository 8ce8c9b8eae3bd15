using Microsoft.Extensions.Configuration;

namespace ServiceDefaults;

/// <summary>Reads settings that a service cannot do without.</summary>
public static class Settings
{
    /// <summary>The value of a setting, which must be there.</summary>
    /// <param name="configuration">Where to look.</param>
    /// <param name="key">The setting, in configuration's own notation: <c>Database:Provider</c>.</param>
    /// <param name="expected">What belongs there, for the message.</param>
    /// <exception cref="StartException">It is missing or empty.</exception>
    public static string Require(this IConfiguration configuration, string key, string expected)
    {
        var value = configuration[key];
        return string.IsNullOrWhiteSpace(value)
            ? throw new StartException($"{EnvironmentName(key)} is missing: expected {expected}.")
            : value;
    }

    /// <summary>A setting as one writes it in the environment: <c>Database__Provider</c>.</summary>
    public static string EnvironmentName(string key) => key.Replace(":", "__", StringComparison.Ordinal);
}
