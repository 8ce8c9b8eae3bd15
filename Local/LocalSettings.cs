using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration.Memory;
using Notifications;
using Notifications.Sending;
using ServiceDefaults;
using Simulators;
using Users;

namespace Local;

/// <summary>Everything in one process, with no install: a file per module and a transport within the process.</summary>
internal static class LocalSettings
{
    public const int DefaultPort = 5080;

    // The terminal is for the tour; the environment can ask for more.
    private static readonly Dictionary<string, string?> QuietLogs = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Logging:LogLevel:Default"] = "Warning",
    };

    public static void AddLocalSettings(this WebApplicationBuilder builder)
    {
        builder.Configuration.Sources.Insert(1, new MemoryConfigurationSource { InitialData = QuietLogs });
        var port = Port(builder.Configuration);
        RefuseTaken(port);
        builder.WebHost.UseUrls($"http://localhost:{port}");

        var folder = builder.Configuration["LOCAL_DATA"];
        var data = new DataFolder(string.IsNullOrWhiteSpace(folder) ? "data" : folder);
        builder.Services.AddSingleton(data);
        builder.Services.AddSingleton<IStartStep>(_ => data);   // singleton: a scope would give the folder back

        // Last, so that they win: what this process is does not depend on settings made for the separate services.
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["Database:Provider"] = nameof(DatabaseProvider.Sqlite),
            ["ConnectionStrings:Users"] = data.Database("users"),
            ["ConnectionStrings:Points"] = data.Database("points"),
            ["ConnectionStrings:Notifications"] = data.Database("notifications"),
            ["ConnectionStrings:RabbitMq"] = null,
            [SimulatorsModule.Folder] = data.Folder,
            [PaymentsSetting.Address] = $"http://localhost:{port}/simulators/payments",
            [ApiKey.Setting] = data.ReceiverKey,
            [EncryptionKeys.Current] = data.EncryptionKey,
            [AllowedDestinations.NetworksSetting] = "127.0.0.0/8,::1/128",   // its own merchant is on this machine
            [AllowedDestinations.PortsSetting] = "1-65535",
            [OperatorKey.Setting] = data.OperatorKey,
        });
    }

    private static int Port(IConfiguration configuration)
    {
        var value = configuration["LOCAL_PORT"];
        if (string.IsNullOrWhiteSpace(value))
        {
            return DefaultPort;
        }

        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            ? port
            : throw new StartException($"LOCAL_PORT is '{value}': expected a number from 1 to 65535.");
    }

    // The server would find out by itself, and say so at length.
    private static void RefuseTaken(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
        }
        catch (SocketException exception)
        {
            throw new StartException($"port {port} cannot be listened on ({exception.Message}). LOCAL_PORT names another.", exception);
        }
    }
}
