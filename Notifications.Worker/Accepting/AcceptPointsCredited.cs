using System.Text.Json;
using Contracts;
using MassTransit;
using ServiceDefaults;

namespace Notifications;

/// <summary>Takes in credited points as an event to tell of. The inbox saves and commits what is added here.</summary>
public sealed class AcceptPointsCredited(EventLog events) : IConsumer<PointsCredited>
{
    private const string Type = "points.credited";

    public async Task Consume(ConsumeContext<PointsCredited> context)
    {
        var credited = context.Message;
        var data = JsonSerializer.Serialize(
            new { credited.EntryId, credited.UserId, credited.Amount, credited.Balance, credited.Reason },
            JsonSerializerOptions.Web);
        await events.Add(Type, credited.BusinessKey, credited.CreditedAt, data, context.CancellationToken);
    }
}

public sealed class AcceptPointsCreditedDefinition : ConsumerDefinition<AcceptPointsCredited>
{
    public AcceptPointsCreditedDefinition() => EndpointName = "notifications-accept-points-credited";

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<AcceptPointsCredited> consumerConfigurator,
        IRegistrationContext context) =>
        endpointConfigurator.UseServiceInbox<NotificationsDb>(context);
}
