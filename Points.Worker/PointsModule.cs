using Contracts;
using MassTransit;
using ServiceDefaults;

namespace Points;

/// <summary>The points: crediting what happened, and reading accounts.</summary>
public static class PointsModule
{
    public static void AddPoints(this WebApplicationBuilder builder)
    {
        builder.AddDatabase<PointsDb, PointsSqlite, PointsPostgres, PointsSqlServer>("Points");
        builder.Services.AddScoped<Ledger>();
    }

    public static void AddPoints(this IBusRegistrationConfigurator bus)
    {
        bus.AddServiceOutbox<PointsDb>(outbox => outbox.PartitionBy<PointsCredited>(credited => credited.UserId));
        bus.AddConsumer<CreditWelcomePoints, CreditWelcomePointsDefinition>();
        bus.AddConsumer<CreditTopUp, CreditTopUpDefinition>();
    }

    public static void MapPoints(this IEndpointRouteBuilder routes) => routes.MapAccounts();
}
