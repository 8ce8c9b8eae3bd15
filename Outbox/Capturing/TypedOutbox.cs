using MassTransit;
using MassTransit.DependencyInjection;
using MassTransit.Middleware.Outbox;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;

namespace Outbox.Capturing;

/// <summary>MassTransit's own endpoints in front of the capture, so that every form of publishing and sending works.</summary>
internal sealed class TypedOutbox<TDbContext> : PublishEndpoint, IOutbox<TDbContext>
    where TDbContext : DbContext
{
    private readonly OutboxSendEndpointProvider _sendEndpointProvider;

    public TypedOutbox(OutboxCapture capture, IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider)
        : base(new OutboxPublishEndpointProvider(capture, PublishEndpoints(bus, consuming, provider)))
        => _sendEndpointProvider = new OutboxSendEndpointProvider(capture, SendEndpoints(bus, consuming, provider));

    public Task<ISendEndpoint> GetSendEndpoint(Uri address) => _sendEndpointProvider.GetSendEndpoint(address);

    public async Task Send<TMessage>(Uri destinationAddress, TMessage message, CancellationToken cancellationToken = default)
        where TMessage : class
    {
        var endpoint = await GetSendEndpoint(destinationAddress).ConfigureAwait(false);
        await endpoint.Send(message, cancellationToken).ConfigureAwait(false);
    }

    public async Task Send<TMessage>(Uri destinationAddress, TMessage message, Action<SendContext<TMessage>> configure, CancellationToken cancellationToken = default)
        where TMessage : class
    {
        var endpoint = await GetSendEndpoint(destinationAddress).ConfigureAwait(false);
        await endpoint.Send(message, Pipe.Execute(configure), cancellationToken).ConfigureAwait(false);
    }

    public ConnectHandle ConnectSendObserver(ISendObserver observer) => _sendEndpointProvider.ConnectSendObserver(observer);

    // Inside a consumer the message continues the conversation of the one being consumed.
    private static IPublishEndpointProvider PublishEndpoints(IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider)
        => consuming.HasContext ? new ScopedConsumePublishEndpointProvider(bus, consuming.GetContext(), provider) : bus;

    private static ISendEndpointProvider SendEndpoints(IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider)
        => consuming.HasContext ? new ScopedConsumeSendEndpointProvider(bus, consuming.GetContext(), provider) : bus;
}

/// <inheritdoc cref="IOutboxFactory{TDbContext}"/>
internal sealed class OutboxFactory<TDbContext>(
    OutboxRegistration<TDbContext> registration, IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider, TimeProvider time)
    : IOutboxFactory<TDbContext>
    where TDbContext : DbContext
{
    public IOutbox<TDbContext> For(TDbContext dbContext)
        => new TypedOutbox<TDbContext>(new OutboxCapture(registration, dbContext, provider, time), bus, consuming, provider);
}
