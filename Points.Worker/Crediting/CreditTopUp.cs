using Contracts;
using MassTransit;
using ServiceDefaults;

namespace Points;

/// <summary>Gives a user the points that were paid for. The inbox saves and commits what is added and published here.</summary>
public sealed class CreditTopUp(Ledger ledger) : IConsumer<TopUpSucceeded>
{
    public Task Consume(ConsumeContext<TopUpSucceeded> context)
    {
        var topUp = context.Message;
        return ledger.AddAndTell(new Credit(topUp.UserId, topUp.Amount, "top-up", $"top-up:{topUp.TopUpId}"), context);
    }
}

public sealed class CreditTopUpDefinition : ConsumerDefinition<CreditTopUp>
{
    public CreditTopUpDefinition() => EndpointName = "points-credit-top-up";

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<CreditTopUp> consumerConfigurator,
        IRegistrationContext context) =>
        endpointConfigurator.UseServiceInbox<PointsDb>(context);
}
