using Contracts;
using FluentValidation;
using MassTransit;
using ServiceDefaults;

namespace Users;

/// <summary>The users: registering them and reading them.</summary>
public static class UsersModule
{
    public static void AddUsers(this WebApplicationBuilder builder)
    {
        builder.AddDatabase<UsersDb, UsersSqlite, UsersPostgres>("Users");
        builder.Services.AddSingleton<IValidator<RegisterUser>, RegisterUserValidator>();
        builder.Services.AddScoped<ExpiredAnswers>();
        builder.Services.AddHostedService<ExpiredAnswersService>();
    }

    public static void AddUsers(this IBusRegistrationConfigurator bus) =>
        bus.AddServiceOutbox<UsersDb>(outbox => outbox.PartitionBy<UserRegistered>(registered => registered.UserId));

    public static void MapUsers(this IEndpointRouteBuilder routes)
    {
        routes.MapRegisterUser();
        routes.MapUserLists();
    }
}
