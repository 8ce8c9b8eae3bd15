using FluentValidation;
using MassTransit;
using Microsoft.AspNetCore.Authentication;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Notifications.Delivering;
using ServiceDefaults;

namespace Notifications;

/// <summary>The notifications: taking in what happened, and letting receivers ask.</summary>
public static class NotificationsModule
{
    private const string ReceiverPolicy = "Receiver";

    public static void AddNotifications(this WebApplicationBuilder builder)
    {
        _ = ApiKey.Configured(builder.Configuration);   // refused now, before anything is started
        builder.Services.AddSingleton(EncryptionKeys.Configured(builder.Configuration));
        builder.AddDatabase<NotificationsDb, NotificationsSqlite, NotificationsPostgres, NotificationsSqlServer>("Notifications");
        builder.Services.AddScoped<IStartStep, RegisterDefaultReceiver>();
        builder.Services.AddScoped<EventLog>();
        builder.Services.AddFeed();
        builder.Services.AddSingleton<IValidator<AcknowledgeMany>, AcknowledgeManyValidator>();
        builder.Services.AddScoped<Acknowledge>();
        builder.AddDelivering();
        new AuthenticationBuilder(builder.Services)
            .AddScheme<AuthenticationSchemeOptions, ReceiverKeyAuthentication>(ReceiverKeyAuthentication.SchemeName, null);
        builder.Services.AddAuthorizationBuilder().AddPolicy(
            ReceiverPolicy,
            policy => policy.AddAuthenticationSchemes(ReceiverKeyAuthentication.SchemeName).RequireAuthenticatedUser());
    }

    public static void AddNotifications(this IBusRegistrationConfigurator bus)
    {
        bus.AddServiceOutbox<NotificationsDb>();
        bus.AddEventTypes();
        bus.AddDelivering();
    }

    public static void MapNotifications(this IEndpointRouteBuilder routes)
    {
        var own = routes.MapGroup("/v1").RequireAuthorization(ReceiverPolicy);
        own.MapNotificationLists();
        own.MapAcknowledging();
    }

    private static void AddFeed(this IServiceCollection services)
    {
        services.AddSingleton<FeedSignal>();
        services.AddSingleton<WakeFeedOnCommit>();
        services.AddScoped<FeedSequencer>();
        services.AddScoped<FeedReader>();
        services.AddHostedService<FeedSequencerService>();
        services.AddSingleton(typeof(IDbContextOptionsConfiguration<>), typeof(WakeFeedConfiguration<>));
    }
}
