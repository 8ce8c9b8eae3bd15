using System.Globalization;
using Contracts;
using MassTransit;

namespace Notifications;

/// <summary>Everything that receivers are told of: a line each.</summary>
internal static class EventTypes
{
    public static void AddEventTypes(this IBusRegistrationConfigurator bus)
    {
        bus.AddSingleton<EventCatalogue>();
        bus.TellOf<PointsCredited>("points.credited", m => m.BusinessKey, m => m.CreditedAt, m => new { m.EntryId, m.UserId, m.Amount, m.Balance, m.Reason });
        bus.TellOf<TopUpSucceeded>("topup.succeeded", m => Key(m.TopUpId), m => m.SucceededAt, m => new { m.TopUpId, m.UserId, m.Amount });
        bus.TellOf<UserRegistered>("user.registered", m => Key(m.UserId), m => m.RegisteredAt, m => new { m.UserId, m.UserName });
    }

    private static void TellOf<TMessage>(
        this IBusRegistrationConfigurator bus,
        string name,
        Func<TMessage, string> businessKey,
        Func<TMessage, DateTime> occurredAt,
        Func<TMessage, object> data)
        where TMessage : class
    {
        var type = new EventType<TMessage>(name, businessKey, occurredAt, data);
        bus.AddSingleton<EventType>(type);
        bus.AddSingleton(type);
        bus.AddConsumer<AcceptEvent<TMessage>, AcceptEventDefinition<TMessage>>();
    }

    private static string Key(Guid id) => id.ToString("D", CultureInfo.InvariantCulture);
}
