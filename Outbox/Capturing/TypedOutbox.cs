using MassTransit;
using MassTransit.DependencyInjection;
using MassTransit.Middleware.Outbox;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Outbox.Databases;
using Outbox.Preparing;

namespace Outbox.Capturing;

/// <summary>MassTransit's own endpoints in front of the capture, so that every form of publishing and sending works.</summary>
internal sealed class TypedOutbox<TDbContext> : PublishEndpoint, IOutbox<TDbContext>
    where TDbContext : DbContext
{
    private readonly OutboxCapture _capture;
    private readonly OutboxSendEndpointProvider _sendEndpointProvider;
    private readonly Preparation _preparation;
    private readonly Func<OutboxCapture, IPublishEndpoint> _publishTo;

    public TypedOutbox(OutboxCapture capture, Preparation preparation, IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider)
        : base(new OutboxPublishEndpointProvider(capture, PublishEndpoints(bus, consuming, provider)))
    {
        _capture = capture;
        _sendEndpointProvider = new OutboxSendEndpointProvider(capture, SendEndpoints(bus, consuming, provider));
        _preparation = preparation;
        _publishTo = other => new PublishEndpoint(new OutboxPublishEndpointProvider(other, PublishEndpoints(bus, consuming, provider)));
    }

    public async Task<IHalfMessage> Prepare<TMessage>(TMessage message, CancellationToken cancellationToken = default)
        where TMessage : class
    {
        var options = _preparation.Check(typeof(TMessage));
        OutboxMessage? captured = null;
        await _publishTo(_preparation.Capture(row => captured = row)).Publish(message, cancellationToken).ConfigureAwait(false);
        return await _preparation.Store(captured!, options, cancellationToken).ConfigureAwait(false);
    }

    public async Task<LocalWork> PrepareAndRun<TMessage>(TMessage message, Func<CancellationToken, Task<LocalWork>> work, CancellationToken cancellationToken = default)
        where TMessage : class
    {
        var half = await Prepare(message, cancellationToken).ConfigureAwait(false);
        await using (half.ConfigureAwait(false))
        {
            var done = await work(cancellationToken).ConfigureAwait(false);

            // The work is done or refused: nobody is served by giving up now.
            if (done == LocalWork.Committed)
                await half.CommitAsync(CancellationToken.None).ConfigureAwait(false);
            else
                await half.RollbackAsync(CancellationToken.None).ConfigureAwait(false);
            return done;
        }
    }

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

    public Task<Guid> Schedule<TMessage>(TMessage message, DateTimeOffset due, CancellationToken cancellationToken = default)
        where TMessage : class
        => Schedule(message, due, _ => { }, cancellationToken);

    public async Task<Guid> Schedule<TMessage>(
        TMessage message, DateTimeOffset due, Action<PublishContext<TMessage>> configure, CancellationToken cancellationToken = default)
        where TMessage : class
    {
        var scheduled = new ScheduledFor(due.UtcDateTime);
        await Publish(
            message,
            Pipe.Execute<PublishContext<TMessage>>(context =>
            {
                scheduled.ApplyTo(context);
                configure(context);
            }),
            cancellationToken).ConfigureAwait(false);
        return scheduled.Token;
    }

    public Task<Guid> Schedule<TMessage>(Uri destinationAddress, TMessage message, DateTimeOffset due, CancellationToken cancellationToken = default)
        where TMessage : class
        => Schedule(destinationAddress, message, due, _ => { }, cancellationToken);

    public async Task<Guid> Schedule<TMessage>(
        Uri destinationAddress, TMessage message, DateTimeOffset due, Action<SendContext<TMessage>> configure, CancellationToken cancellationToken = default)
        where TMessage : class
    {
        var scheduled = new ScheduledFor(due.UtcDateTime);
        await Send(
            destinationAddress,
            message,
            context =>
            {
                scheduled.ApplyTo(context);
                configure(context);
            },
            cancellationToken).ConfigureAwait(false);
        return scheduled.Token;
    }

    public Task<bool> Cancel(Guid token, CancellationToken cancellationToken = default) => _capture.Cancel(token, cancellationToken);

    public ConnectHandle ConnectSendObserver(ISendObserver observer) => _sendEndpointProvider.ConnectSendObserver(observer);

    // Inside a consumer the message continues the conversation of the one being consumed.
    private static IPublishEndpointProvider PublishEndpoints(IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider)
        => consuming.HasContext ? new ScopedConsumePublishEndpointProvider(bus, consuming.GetContext(), provider) : bus;

    private static ISendEndpointProvider SendEndpoints(IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider)
        => consuming.HasContext ? new ScopedConsumeSendEndpointProvider(bus, consuming.GetContext(), provider) : bus;
}

/// <inheritdoc cref="IOutboxFactory{TDbContext}"/>
internal sealed class OutboxFactory<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, DecisionInterceptor decisions,
    IBus bus, IScopedConsumeContextProvider consuming, IServiceProvider provider, TimeProvider time)
    : IOutboxFactory<TDbContext>
    where TDbContext : DbContext
{
    public IOutbox<TDbContext> For(TDbContext dbContext)
        => new TypedOutbox<TDbContext>(
            new OutboxCapture(registration, dbContext, provider, time),
            new Preparation(registration, store, decisions, dbContext, provider, time),
            bus, consuming, provider);
}
