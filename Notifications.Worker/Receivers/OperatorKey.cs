using ServiceDefaults;

namespace Notifications;

/// <summary>The key of who runs the notifier.</summary>
public static class OperatorKey
{
    /// <summary>Where it is configured. Without it, what is for operators is closed.</summary>
    public const string Setting = "Operator:ApiKey";

    private const string Prefix = "ok_";

    /// <summary>A new key.</summary>
    public static string Create() => ApiKey.Create(Prefix);

    /// <summary>The configured key; null when there is none.</summary>
    /// <exception cref="StartException">It is too short to be random.</exception>
    public static string? Configured(IConfiguration configuration) =>
        string.IsNullOrWhiteSpace(configuration[Setting]) ? null : ApiKey.Configured(configuration, Setting);
}
