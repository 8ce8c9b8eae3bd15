using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceDefaults;

/// <summary>Starts a service, and says in one line why when it cannot.</summary>
public static class Service
{
    /// <summary>Runs a service until it is told to stop.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="port">Where it listens on this machine's loopback, unless configuration names addresses.</param>
    /// <param name="add">Adds the service's modules.</param>
    /// <param name="map">Maps their endpoints.</param>
    /// <returns>The exit code: 0 after a graceful stop, 1 when the service could not start, or ended itself to be started again.</returns>
    public static async Task<int> Run(
        string[] args, int port, Action<WebApplicationBuilder> add, Action<WebApplication> map)
    {
        // The machine's language changes nothing.
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.InvariantCulture;
        CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
        try
        {
            var builder = WebApplication.CreateBuilder(args);
            builder.AddServiceDefaults(port);
            add(builder);

            await using var app = builder.Build();

            // Side by side: mapping builds the bus, for its health, and both are mostly the compiling of methods, for a core each.
            await Task.WhenAll(Task.Run(() => Map(app, map)), Prepare(app));
            await app.RunAsync();
            return 0;
        }
        catch (Exception exception) when (Explain(exception) is { } line)
        {
            await Console.Error.WriteLineAsync($"Cannot start: {line}");
            return 1;
        }
    }

    private static void Map(WebApplication app, Action<WebApplication> map)
    {
        app.UseServiceDefaults();
        map(app);
    }

    private static async Task Prepare(WebApplication app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        foreach (var step in scope.ServiceProvider.GetServices<IStartStep>())
        {
            await step.Run(CancellationToken.None);
        }
    }

    // Only what an operator can mend is worth a line; anything else is a defect and keeps its stack trace.
    private static string? Explain(Exception exception) => exception switch
    {
        StartException => exception.Message,
        IOException { InnerException: AddressInUseException } => exception.Message,
        _ => null,
    };
}
