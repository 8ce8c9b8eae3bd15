using System.Collections.Concurrent;
using MassTransit;

namespace Outbox.Relaying;

/// <summary>
/// The types that messages are published as, found by their URNs. Going through the endpoint of the type has the transport
/// declare what the type's publishing needs, with the types that it inherits from.
/// </summary>
internal sealed class PublishedTypes
{
    // A type that was not found is looked for again when another assembly has been loaded.
    private readonly ConcurrentDictionary<string, (PublishedType? Type, int Assemblies)> _types = new(StringComparer.Ordinal);

    /// <summary>The type, or <see langword="null"/> when no loaded assembly has it.</summary>
    /// <param name="messageTypes">The message's URNs, separated by semicolons, the most specific first.</param>
    public PublishedType? Find(string messageTypes)
    {
        if (!_types.TryGetValue(messageTypes, out var known) || (known.Type is null && known.Assemblies != MessageTypes.AssemblyCount))
            _types[messageTypes] = known = (Look(messageTypes), MessageTypes.AssemblyCount);
        return known.Type;
    }

    private static PublishedType? Look(string messageTypes)
    {
        var end = messageTypes.IndexOf(';', StringComparison.Ordinal);
        var urn = end < 0 ? messageTypes : messageTypes[..end];
        return MessageTypes.Find(urn) is { } type ? (PublishedType)Activator.CreateInstance(typeof(PublishedType<>).MakeGenericType(type))! : null;
    }
}

/// <summary>A type that messages are published as.</summary>
internal abstract class PublishedType
{
    public abstract Task<ISendEndpoint> Endpoint(IPublishEndpointProvider provider);
}

/// <inheritdoc/>
internal sealed class PublishedType<T> : PublishedType
    where T : class
{
    public override Task<ISendEndpoint> Endpoint(IPublishEndpointProvider provider) => provider.GetPublishSendEndpoint<T>();
}
