using FluentValidation;
using MassTransit;
using Microsoft.AspNetCore.Authentication;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Notifications.Delivering;
using ServiceDefaults;

namespace Notifications;

/// <summary>The notifications: taking in what happened, telling receivers, and letting them ask.</summary>
public static class NotificationsModule
{
    private const string ReceiverPolicy = "Receiver";
    private const string OperatorPolicy = "Operator";

    public static void AddNotifications(this WebApplicationBuilder builder)
    {
        // Refused now, before anything is started.
        _ = ApiKey.Configured(builder.Configuration);
        _ = OperatorKey.Configured(builder.Configuration);
        builder.Services.AddSingleton(EncryptionKeys.Configured(builder.Configuration));
        builder.Services.AddSingleton(WebhookSettings.Configured(builder.Configuration));

        builder.AddDatabase<NotificationsDb, NotificationsSqlite, NotificationsPostgres, NotificationsSqlServer>("Notifications");
        builder.Services.AddScoped<IStartStep, RegisterDefaultReceiver>();
        builder.Services.AddScoped<EventLog>();
        builder.Services.AddScoped<DeliveryStart>();
        builder.Services.AddSingleton<EventIntake>();
        builder.Services.AddFeed();
        builder.AddDelivering();
        builder.Services.AddApi();
        builder.Services.AddKeys();
        builder.Services.AddScoped<Housekeeping>();
        builder.Services.AddHostedService<HousekeepingService>();
    }

    public static void AddNotifications(this IBusRegistrationConfigurator bus)
    {
        bus.AddServiceOutbox<NotificationsDb>();
        bus.AddEventTypes();
        bus.AddDelivering();
        bus.AddConsumer<RecoverDeliveries, RecoverDeliveriesDefinition>();
    }

    public static void MapNotifications(this IEndpointRouteBuilder routes)
    {
        var operators = routes.MapGroup("/v1").RequireAuthorization(OperatorPolicy);
        operators.MapCreateReceiver();
        operators.MapReceiverList();
        operators.MapRotateKey();

        var receivers = routes.MapGroup("/v1").RequireAuthorization(ReceiverPolicy);
        receivers.MapNotificationLists();
        receivers.MapAcknowledging();
        receivers.MapResending();
        receivers.MapEndpoints();
        receivers.MapEndpointStates();
        receivers.MapRecovering();
    }

    private static void AddFeed(this IServiceCollection services)
    {
        services.AddSingleton<FeedSignal>();
        services.AddSingleton<WakeFeedOnCommit>();
        services.AddSingleton(typeof(IDbContextOptionsConfiguration<>), typeof(WakeFeedConfiguration<>));
        services.AddScoped<FeedSequencer>();
        services.AddScoped<FeedReader>();
        services.AddHostedService<FeedSequencerService>();
    }

    private static void AddApi(this IServiceCollection services)
    {
        services.AddScoped<Acknowledge>();
        services.AddScoped<EndpointBook>();
        services.AddSingleton<IValidator<AcknowledgeMany>, AcknowledgeManyValidator>();
        services.AddSingleton<IValidator<CreateReceiver>, CreateReceiverValidator>();
        services.AddSingleton<IValidator<EndpointSettings>, EndpointSettingsValidator>();
        services.AddSingleton<IValidator<Recover>, RecoverValidator>();
        services.AddSingleton<IValidator<RotateKey>, RotateKeyValidator>();
        services.AddSingleton<IValidator<RotateSecret>, RotateSecretValidator>();
    }

    private static void AddKeys(this IServiceCollection services)
    {
        new AuthenticationBuilder(services)
            .AddScheme<AuthenticationSchemeOptions, ReceiverKeyAuthentication>(ReceiverKeyAuthentication.SchemeName, null)
            .AddScheme<AuthenticationSchemeOptions, OperatorKeyAuthentication>(OperatorKeyAuthentication.SchemeName, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(ReceiverPolicy, policy => policy.AddAuthenticationSchemes(ReceiverKeyAuthentication.SchemeName).RequireAuthenticatedUser())
            .AddPolicy(OperatorPolicy, policy => policy.AddAuthenticationSchemes(OperatorKeyAuthentication.SchemeName).RequireAuthenticatedUser());
    }
}
