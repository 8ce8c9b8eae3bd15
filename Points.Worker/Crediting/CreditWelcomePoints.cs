using Contracts;
using MassTransit;
using ServiceDefaults;

namespace Points;

/// <summary>Gives a new user 100 points. The inbox saves and commits what is added and published here.</summary>
public sealed class CreditWelcomePoints(Ledger ledger) : IConsumer<UserRegistered>
{
    private const long Welcome = 100;

    public Task Consume(ConsumeContext<UserRegistered> context)
    {
        var userId = context.Message.UserId;
        return ledger.AddAndTell(new Credit(userId, Welcome, "welcome", $"welcome:{userId}"), context);
    }
}

public sealed class CreditWelcomePointsDefinition : ConsumerDefinition<CreditWelcomePoints>
{
    public CreditWelcomePointsDefinition() => EndpointName = "points-credit-welcome-points";

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<CreditWelcomePoints> consumerConfigurator,
        IRegistrationContext context) =>
        endpointConfigurator.UseServiceInbox<PointsDb>(context);
}
