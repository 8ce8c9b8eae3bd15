using System.Collections.Concurrent;
using MassTransit;

namespace Outbox.Relaying;

/// <summary>
/// The endpoint that messages of a type are published to, found by the type's URN. Going through it has the transport
/// declare what the type's publishing needs, with the types that it inherits from.
/// </summary>
internal sealed class PublishEndpoints(IPublishEndpointProvider provider)
{
    // A type that was not found is looked for again when another assembly has been loaded.
    private readonly ConcurrentDictionary<string, (Endpoint? Endpoint, int Assemblies)> _endpoints = new(StringComparer.Ordinal);

    /// <summary>The endpoint, or <see langword="null"/> when no loaded assembly has the type.</summary>
    /// <param name="messageTypes">The message's URNs, separated by semicolons, the most specific first.</param>
    public Task<ISendEndpoint>? For(string messageTypes)
    {
        var end = messageTypes.IndexOf(';', StringComparison.Ordinal);
        var urn = end < 0 ? messageTypes : messageTypes[..end];
        if (!_endpoints.TryGetValue(urn, out var known) || (known.Endpoint is null && known.Assemblies != MessageTypes.AssemblyCount))
            _endpoints[urn] = known = (Find(urn), MessageTypes.AssemblyCount);
        return known.Endpoint?.Get(provider);
    }

    private static Endpoint? Find(string urn)
        => MessageTypes.Find(urn) is { } type ? (Endpoint)Activator.CreateInstance(typeof(Endpoint<>).MakeGenericType(type))! : null;

    private abstract class Endpoint
    {
        public abstract Task<ISendEndpoint> Get(IPublishEndpointProvider provider);
    }

    private sealed class Endpoint<T> : Endpoint
        where T : class
    {
        public override Task<ISendEndpoint> Get(IPublishEndpointProvider provider) => provider.GetPublishSendEndpoint<T>();
    }
}
