using System.Globalization;
using Microsoft.Extensions.Configuration.Memory;
using Notifications;
using ServiceDefaults;

namespace Local;

/// <summary>Everything in one process, with no install: a file per module and a transport within the process.</summary>
internal static class LocalSettings
{
    // The terminal is for the tour; the environment can ask for more.
    private static readonly Dictionary<string, string?> QuietLogs = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Logging:LogLevel:Default"] = "Warning",
    };

    public static void AddLocalSettings(this WebApplicationBuilder builder)
    {
        builder.Configuration.Sources.Insert(1, new MemoryConfigurationSource { InitialData = QuietLogs });
        if (Port(builder.Configuration) is { } port)
        {
            builder.WebHost.UseUrls($"http://localhost:{port}");
        }

        var folder = builder.Configuration["LOCAL_DATA"];
        var data = new DataFolder(string.IsNullOrWhiteSpace(folder) ? "data" : folder);
        builder.Services.AddSingleton(_ => data);
        builder.Services.AddScoped<IStartStep>(services => services.GetRequiredService<DataFolder>());

        // Last, so that they win: what this process is does not depend on settings made for the separate services.
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["Database:Provider"] = nameof(DatabaseProvider.Sqlite),
            ["ConnectionStrings:Users"] = data.Database("users"),
            ["ConnectionStrings:Points"] = data.Database("points"),
            ["ConnectionStrings:Notifications"] = data.Database("notifications"),
            ["ConnectionStrings:RabbitMq"] = null,
            [ApiKey.Setting] = data.ReceiverKey,
        });
    }

    private static int? Port(IConfiguration configuration)
    {
        var value = configuration["LOCAL_PORT"];
        if (string.IsNullOrWhiteSpace(value))
        {
            return null;
        }

        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            ? port
            : throw new StartException($"LOCAL_PORT is '{value}': expected a number from 1 to 65535.");
    }
}
