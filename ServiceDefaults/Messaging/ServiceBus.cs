using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceDefaults;

/// <summary>The one bus of a process.</summary>
public static class ServiceBus
{
    private const string Key = "ConnectionStrings:RabbitMq";

    /// <summary>
    /// Adds the bus with the modules' consumers and outboxes: over RabbitMQ when
    /// <c>ConnectionStrings__RabbitMq</c> is set, otherwise within this process.
    /// </summary>
    /// <param name="builder">The service.</param>
    /// <param name="modules">What each module puts on the bus.</param>
    public static void AddServiceBus(
        this WebApplicationBuilder builder, params Action<IBusRegistrationConfigurator>[] modules)
    {
        var broker = Broker(builder.Configuration);
        var receive = new ReceiveSettings(builder.Configuration);
        builder.Services.AddSingleton(new Transport(InProcess: broker is null));
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();

            // A service goes on answering while the broker is away; the outbox keeps what it has to say.
            bus.ConfigureHealthCheckOptions(health => health.MinimalFailureStatus = HealthStatus.Degraded);
            foreach (var module in modules)
            {
                module(bus);
            }

            bus.AddConfigureEndpointsCallback((queue, endpoint) => receive.Apply(queue, endpoint));

            if (broker is null)
            {
                if (modules.Length == 1)
                {
                    builder.Services.AddHostedService<AloneWarning>();
                }

                bus.UsingInMemory((context, transport) =>
                {
                    transport.ConfigureEndpoints(context);
                    receive.RefuseUnknown();
                });
            }
            else
            {
                bus.UsingRabbitMq((context, transport) =>
                {
                    transport.Host(broker);
                    transport.ConfigureEndpoints(context);
                    receive.RefuseUnknown();
                });
            }
        });
    }

    /// <summary>Whether what is on its way is held by this process alone, and lost with it.</summary>
    internal static bool IsInProcess(IServiceCollection services) =>
        services.Select(service => service.ImplementationInstance).OfType<Transport>().Single().InProcess;

    private static Uri? Broker(IConfiguration configuration)
    {
        var value = configuration[Key];
        if (string.IsNullOrWhiteSpace(value))
        {
            return null;
        }

        return Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri is { Scheme: "amqp" or "amqps", Host.Length: > 0 }
            ? uri
            : throw new StartException(
                $"{Settings.EnvironmentName(Key)} is not an address that can work: expected one such as amqp://guest:guest@localhost:5672/.");
    }

    private sealed record Transport(bool InProcess);

    /// <summary>A service on its own has nobody to talk to in its own process: more likely a setting was forgotten.</summary>
    private sealed class AloneWarning(ILogger<AloneWarning> logger) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            logger.MessagesStayHere(Settings.EnvironmentName(Key));
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

internal static partial class ServiceBusLog
{
    [LoggerMessage(1, LogLevel.Warning, "{Setting} is not set: messages stay within this process and reach no other service")]
    public static partial void MessagesStayHere(this ILogger logger, string setting);
}
