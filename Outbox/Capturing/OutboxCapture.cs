using MassTransit;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;

namespace Outbox.Capturing;

/// <summary>Where everything that is published or sent ends up: as a tracked row of the DbContext, stored by its next save.</summary>
internal sealed class OutboxCapture(OutboxRegistration registration, DbContext dbContext, IServiceProvider provider, TimeProvider time)
    : OutboxSendContext
{
    // A consumer may publish from several tasks at once, and a DbContext is not safe for that.
    private readonly Lock _gate = new();

    public Task AddSend<T>(SendContext<T> context)
        where T : class
    {
        var row = CapturedMessage.From(context, registration.Options, time.GetUtcNow().UtcDateTime);
        lock (_gate)
            dbContext.Add(row);
        return Task.CompletedTask;
    }

    public object? GetService(Type serviceType) => provider.GetService(serviceType);
}
