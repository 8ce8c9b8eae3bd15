using System.Diagnostics;

namespace Notifications;

/// <summary>A kind of thing that receivers are told of.</summary>
/// <param name="name">As receivers know it: <c>points.credited</c>.</param>
public abstract class EventType(string name)
{
    public string Name { get; } = name;
}

/// <summary>How a message from another service becomes such an event.</summary>
/// <param name="name">As receivers know it.</param>
/// <param name="businessKey">Names the fact itself, however many messages tell of it.</param>
/// <param name="occurredAt">When it happened, UTC.</param>
/// <param name="data">What receivers are told, to be written as JSON.</param>
public sealed class EventType<TMessage>(
    string name, Func<TMessage, string> businessKey, Func<TMessage, DateTime> occurredAt, Func<TMessage, object> data) : EventType(name)
    where TMessage : class
{
    public Happening Of(TMessage message) => new(Name, businessKey(message), occurredAt(message), data(message));
}

/// <summary>Something that happened.</summary>
/// <param name="Type">Its type, as receivers know it.</param>
/// <param name="BusinessKey">Its own name within the type.</param>
/// <param name="OccurredAt">When, UTC.</param>
/// <param name="Data">What receivers are told, to be written as JSON.</param>
public sealed record Happening(string Type, string BusinessKey, DateTime OccurredAt, object Data)
{
    /// <summary>The W3C trace context in which it became known; null when it is not traced.</summary>
    public string? TraceParent { get; } = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null;
}
