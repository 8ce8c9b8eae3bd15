using MassTransit;
using Notifications.Sending;
using ServiceDefaults;

namespace Notifications.Delivering;

/// <summary>The delivering: attempts, when they are woken, and the sweeper for when they are not.</summary>
internal static class DeliveringModule
{
    public static void AddDelivering(this WebApplicationBuilder builder)
    {
        var settings = DeliverySettings.Read(builder.Configuration);
        var allowed = new AllowedDestinations(
            builder.Configuration[AllowedDestinations.NetworksSetting], builder.Configuration[AllowedDestinations.PortsSetting]);
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton(allowed);
        builder.Services.AddSingleton(services => new WebhookClient(
            allowed, settings.Timeout, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<WebhookClient>>()));
        builder.Services.AddSingleton<EndpointLanes>();
        var turns = builder.Configuration.DatabaseProvider() == DatabaseProvider.Sqlite ? DatabaseTurns.OnFile : DatabaseTurns.OnServer;
        builder.Services.AddSingleton(new DatabaseTurns(new SemaphoreSlim(turns)));
        builder.Services.AddSingleton<DeliveryMetrics>();
        builder.Services.AddSingleton<Calling>();
        builder.Services.AddSingleton<Outcomes>();
        builder.Services.AddSingleton<FirstAttempts>();
        builder.Services.AddHostedService(services => services.GetRequiredService<FirstAttempts>());
        builder.Services.AddScoped<FirstAttemptStart>();
        builder.Services.AddScoped<DeliveryRows>();
        builder.Services.AddScoped<Attempting>();
        builder.Services.AddScoped<Sweeper>();
        builder.Services.AddHostedService<SweeperService>();
    }

    public static void AddDelivering(this IBusRegistrationConfigurator bus) => bus.AddConsumer<Deliver, DeliverDefinition>();
}
