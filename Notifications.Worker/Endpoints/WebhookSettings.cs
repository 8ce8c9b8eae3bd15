using System.Globalization;
using ServiceDefaults;

namespace Notifications;

/// <summary>How much a receiver may have, and how long it is kept, as an operator decides.</summary>
/// <param name="MaxEndpoints">How many endpoints a receiver may have. Default 20.</param>
/// <param name="Retention">How long payloads, attempts and jobs are kept. Default 90 days.</param>
public sealed record WebhookSettings(int MaxEndpoints, TimeSpan Retention)
{
    private const string MaxEndpointsSetting = "Webhooks:MaxEndpoints";
    private const string RetentionSetting = "Webhooks:RetentionDays";

    /// <summary>Reads the settings.</summary>
    /// <exception cref="StartException">One of them is none.</exception>
    public static WebhookSettings Configured(IConfiguration configuration) => new(
        Number(configuration, MaxEndpointsSetting, otherwise: 20, max: 1000),
        TimeSpan.FromDays(Number(configuration, RetentionSetting, otherwise: 90, max: 3650)));

    private static int Number(IConfiguration configuration, string setting, int otherwise, int max) =>
        configuration[setting] is not { Length: > 0 } text ? otherwise
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max ? number
        : throw new StartException($"{Settings.EnvironmentName(setting)} is '{text}': expected a number from 1 to {max}.");
}
