using System.Globalization;
using System.Security.Cryptography;

namespace Chaos.Tests;

/// <summary>How much is done: enough to find a mistake every day, and with <c>OUTBOX_SOAK=1</c> much more.</summary>
internal static class Scale
{
    public static bool Soak { get; } = Environment.GetEnvironmentVariable("OUTBOX_SOAK") == "1";

    public static int Users => Soak ? 2_000 : 1_000;

    public static int Kills => Soak ? 40 : 10;

    public static int TopUps => Soak ? 500 : 100;

    public static int TopUpKills => Soak ? 20 : 4;

    public static TimeSpan BrokerOutage => TimeSpan.FromSeconds(Soak ? 30 : 10);

    /// <summary>Longer than the lease of 10 s.</summary>
    public static TimeSpan Pause => TimeSpan.FromSeconds(Soak ? 20 : 12);

    /// <summary>Of what chance decides; <c>OUTBOX_SEED</c> repeats a run.</summary>
    public static int Seed { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("OUTBOX_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed : RandomNumberGenerator.GetInt32(1_000_000);
}
