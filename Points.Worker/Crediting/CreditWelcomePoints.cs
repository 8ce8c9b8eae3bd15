using Contracts;
using MassTransit;
using ServiceDefaults;

namespace Points;

/// <summary>Gives a new user 100 points. The inbox saves and commits what is added and published here.</summary>
public sealed class CreditWelcomePoints(Ledger ledger) : IConsumer<UserRegistered>
{
    private const long Welcome = 100;

    public async Task Consume(ConsumeContext<UserRegistered> context)
    {
        var userId = context.Message.UserId;
        var entry = await ledger.Add(
            new Credit(userId, Welcome, "welcome", $"welcome:{userId}"), context.CancellationToken);
        if (entry is null)
        {
            return;   // told before, under another message id
        }

        await context.Publish(
            new PointsCredited(
                entry.Id, userId, entry.Amount, entry.Balance, entry.Reason, entry.BusinessKey, entry.CreditedAt),
            context.CancellationToken);
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
