using System.Globalization;
using ServiceDefaults;

namespace Notifications.Delivering;

/// <summary>How an operator wants webhooks to be delivered.</summary>
public sealed record DeliverySettings
{
    /// <summary>How long one exchange may take, from resolving the name to the answer's last byte. Default: 15 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long an attempt belongs to the replica that took it; then it counts as failed and the next one follows. Longer
    /// than <see cref="Timeout"/> by 2 s at least, with room to write the outcome down: no call begins that might not end within
    /// it. Default: 45 s.
    /// </summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>
    /// How many attempts a replica makes at once, where calls that hang count for three quarters at most: with them there may be up to
    /// <see cref="MostInFlight"/>. Default: 256.
    /// </summary>
    public int InFlight { get; init; } = 256;

    /// <summary>How many attempts there may ever be at once: twice <see cref="InFlight"/>.</summary>
    public int MostInFlight => 2 * InFlight;

    /// <summary>How many of them at one endpoint. Default: 8.</summary>
    public int InFlightPerEndpoint { get; init; } = 8;

    /// <summary>How often a replica looks for what nobody woke. Default: 5 s.</summary>
    public TimeSpan SweepPeriod { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long after its time an attempt counts as forgotten. Default: 30 s.</summary>
    public TimeSpan OverdueAfter { get; init; } = TimeSpan.FromSeconds(30);

    // To begin the call, and to write down what came of it.
    private static readonly TimeSpan LeastRoom = TimeSpan.FromSeconds(2);

    /// <summary>Reads <c>Delivery__Timeout</c> and so on; what is not set has its default.</summary>
    /// <exception cref="StartException">A value cannot work.</exception>
    public static DeliverySettings Read(IConfiguration configuration)
    {
        var defaults = new DeliverySettings();
        var settings = new DeliverySettings
        {
            Timeout = Duration(nameof(Timeout), defaults.Timeout),
            Lease = Duration(nameof(Lease), defaults.Lease),
            InFlight = Count(nameof(InFlight), defaults.InFlight),
            InFlightPerEndpoint = Count(nameof(InFlightPerEndpoint), defaults.InFlightPerEndpoint),
            SweepPeriod = Duration(nameof(SweepPeriod), defaults.SweepPeriod),
            OverdueAfter = Duration(nameof(OverdueAfter), defaults.OverdueAfter),
        };
        return settings.Lease >= settings.Timeout + LeastRoom
            ? settings
            : throw new StartException(
                $"Delivery__Lease must be longer than Delivery__Timeout by {LeastRoom} at least: expected {settings.Timeout + LeastRoom} or more, found {settings.Lease}.");

        TimeSpan Duration(string name, TimeSpan otherwise) => configuration[$"Delivery:{name}"] is not { Length: > 0 } text ? otherwise
            : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) && value > TimeSpan.Zero && value <= TimeSpan.FromDays(1) ? value
            : throw new StartException($"Delivery__{name} is '{text}': expected a duration such as 00:00:15.");

        int Count(string name, int otherwise) => configuration[$"Delivery:{name}"] is not { Length: > 0 } text ? otherwise
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value is >= 1 and <= 10_000 ? value
            : throw new StartException($"Delivery__{name} is '{text}': expected a number from 1 to 10000.");
    }
}
