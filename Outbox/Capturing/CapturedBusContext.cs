using MassTransit;
using MassTransit.Clients;
using MassTransit.DependencyInjection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.Capturing;

/// <summary>
/// <c>UseBusOutbox()</c>: the scope's plain <see cref="IPublishEndpoint"/> and <see cref="ISendEndpointProvider"/> go to
/// the outbox. Inside a consumer whose endpoint uses the inbox they are the consume context's, which does so anyway.
/// </summary>
internal sealed class CapturedBusContext<TDbContext>(
    Bind<IBus, IClientFactory> clients, Bind<IBus, IScopedConsumeContextProvider> consuming,
    IServiceProvider provider, IOutboxFactory<TDbContext> outboxes)
    : IScopedBusContextProvider<IBus>, ScopedBusContext
    where TDbContext : DbContext
{
    private IOutbox<TDbContext>? _outbox;
    private IScopedClientFactory? _clients;

    public ScopedBusContext Context => consuming.Value.HasContext && consuming.Value.GetContext() is MassTransit.Middleware.OutboxConsumeContext inbox
        ? new ConsumeContextScopedBusContext(inbox, clients.Value)
        : this;

    public ISendEndpointProvider SendEndpointProvider => Outbox;

    public IPublishEndpoint PublishEndpoint => Outbox;

    // Requests wait for an answer, so they cannot wait for a commit: they go to the bus.
    public IScopedClientFactory ClientFactory
        => _clients ??= new ScopedClientFactory(new ClientFactory(new ScopedClientFactoryContext(clients.Value, provider)), null);

    private IOutbox<TDbContext> Outbox => _outbox ??= outboxes.For(provider.GetRequiredService<TDbContext>());
}
