using MassTransit;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.Capturing;

/// <summary>Where everything that is published or sent ends up: as a tracked row of the DbContext, stored by its next save.</summary>
internal sealed class OutboxCapture(OutboxRegistration registration, DbContext dbContext, IServiceProvider provider, TimeProvider time)
    : OutboxSendContext
{
    // A consumer may publish from several tasks at once, and a DbContext is not safe for that.
    private readonly Lock _gate = new();
    private readonly IBusTopology _topology = provider.GetRequiredService<IBus>().Topology;

    public Task AddSend<T>(SendContext<T> context)
        where T : class
    {
        var row = CapturedMessage.From(context, IsPublished(context), registration.Options, time.GetUtcNow().UtcDateTime);
        lock (_gate)
            dbContext.Add(row);
        return Task.CompletedTask;
    }

    /// <summary>Whether the message goes where its type is published to: its destination then follows from the type.</summary>
    private bool IsPublished<T>(SendContext<T> context)
        where T : class
        => context.DestinationAddress is { } destination
            && _topology.TryGetPublishAddress<T>(out var published)
            && destination.GetLeftPart(UriPartial.Path) == published.GetLeftPart(UriPartial.Path);

    public object? GetService(Type serviceType) => provider.GetService(serviceType);
}
