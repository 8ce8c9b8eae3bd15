using Contracts;
using FluentValidation;
using MassTransit;
using ServiceDefaults;

namespace Users;

/// <summary>The users: registering them, reading them, and topping up their points.</summary>
public static class UsersModule
{
    public static void AddUsers(this WebApplicationBuilder builder)
    {
        builder.AddDatabase<UsersDb, UsersSqlite, UsersPostgres, UsersSqlServer>("Users");
        builder.Services.AddSingleton<IValidator<RegisterUser>, RegisterUserValidator>();
        builder.Services.AddChore<ExpiredAnswers>();
        builder.AddPayments();
        builder.Services.AddSingleton<IValidator<StartTopUp>, StartTopUpValidator>();
        builder.Services.AddChore<OwedRefunds>();
    }

    public static void AddUsers(this IBusRegistrationConfigurator bus) =>
        bus.AddServiceOutbox<UsersDb>(outbox =>
        {
            outbox.PartitionBy<UserRegistered>(registered => registered.UserId);
            outbox.PartitionBy<TopUpSucceeded>(topUp => topUp.UserId);
            outbox.AddCheckBack<TopUpSucceeded, CheckPayment>();
        });

    public static void MapUsers(this IEndpointRouteBuilder routes)
    {
        routes.MapRegisterUser();
        routes.MapUserLists();
        routes.MapStartTopUp();
        routes.MapTopUps();
    }

    private static void AddChore<TChore>(this IServiceCollection services)
        where TChore : class, IChore
    {
        services.AddScoped<TChore>();
        services.AddHostedService<ChoreService<TChore>>();
    }
}
