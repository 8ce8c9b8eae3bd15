using ServiceDefaults;

namespace Users;

/// <summary>Where the payment provider is.</summary>
public static class PaymentsSetting
{
    /// <summary>The setting; absent: the simulators of this machine.</summary>
    public const string Address = "Payments:Address";

    private const string Simulators = "http://localhost:5084/payments";

    internal static void AddPayments(this WebApplicationBuilder builder)
    {
        var address = Read(builder.Configuration);
        builder.Services.AddSingleton<PaymentPatience>();
        builder.Services
            .AddHttpClient<Payments>(http => (http.BaseAddress, http.Timeout) = (address, Timeout.InfiniteTimeSpan))   // PaymentPatience ends it
            .RemoveAllLoggers();   // what went wrong is said once, by whoever asked
    }

    // With a slash at its end, or the last part of the path would be replaced by what is asked for.
    private static Uri Read(IConfiguration configuration)
    {
        var value = configuration[Address];
        return Uri.TryCreate((string.IsNullOrWhiteSpace(value) ? Simulators : value).TrimEnd('/') + '/', UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            ? uri
            : throw new StartException($"{Settings.EnvironmentName(Address)} is '{value}': expected an address such as {Simulators}.");
    }
}
