namespace Notifications;

/// <summary>The types of events that there are.</summary>
public sealed class EventCatalogue(IEnumerable<EventType> types)
{
    private readonly string[] _names = [.. types.Select(type => type.Name).Order(StringComparer.Ordinal)];

    /// <summary>Whether receivers are ever told of such an event.</summary>
    public bool Knows(string? name) => _names.Contains(name, StringComparer.Ordinal);

    /// <summary>The names, for an error message.</summary>
    public override string ToString() => string.Join(", ", _names);
}
