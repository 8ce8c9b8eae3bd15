using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ServiceDefaults;

/// <summary>What every service shares, in the order in which a request meets it.</summary>
public static class ServiceDefaultsExtensions
{
    private static readonly Dictionary<string, string?> QuietLogs = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore"] = "Warning",

        // What EF logs as an error it also throws, and whoever catches it says so, once.
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database"] = "Critical",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Update"] = "Critical",
    };

    /// <summary>Adds time, HTTP limits, problem details, authentication, health and telemetry.</summary>
    public static void AddServiceDefaults(this WebApplicationBuilder builder, int port)
    {
        // First, so that every other source of configuration wins over it.
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = QuietLogs });
        builder.ListenOnLoopback(port);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = HttpLimits.MaxRequestBody);

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddProblems();

        // Which of two members of one name counts is decided differently by every reader: neither does.
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.AllowDuplicateProperties = false);
        builder.Services.AddAuthenticationCore();   // not AddAuthentication: its key ring would be written to disk for nobody
        builder.Services.AddWebEncoders();
        builder.Services.AddAuthorization();
        builder.Services.AddHealthChecks();
        builder.AddTelemetry();
    }

    /// <summary>Puts errors, authentication and health into the pipeline; modules map their endpoints after it.</summary>
    public static void UseServiceDefaults(this WebApplication app)
    {
        app.UseProblems();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapHealth();
    }

    // Loopback by default: a first run on a laptop is not a server for its network.
    private static void ListenOnLoopback(this WebApplicationBuilder builder, int port)
    {
        string[] keys = ["urls", "http_ports", "https_ports"];
        var configured = keys.Any(key => !string.IsNullOrEmpty(builder.Configuration[key]))
            || builder.Configuration.GetSection("Kestrel:Endpoints").Exists();
        if (!configured)
        {
            builder.WebHost.UseUrls($"http://localhost:{port}");
        }
    }
}
