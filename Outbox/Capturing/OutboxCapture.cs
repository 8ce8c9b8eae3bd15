using MassTransit;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Outbox.Capturing;

/// <summary>Where everything that is published or sent ends up: as a row that is kept, tracked by the DbContext or prepared at once.</summary>
/// <param name="registration">The outbox.</param>
/// <param name="dbContext">Whose next save stores it.</param>
/// <param name="provider">The scope.</param>
/// <param name="time">The clock.</param>
/// <param name="prepare">Takes the row of a half message, which is stored at once; <see langword="null"/> for any other message.</param>
internal sealed class OutboxCapture(
    OutboxRegistration registration, DbContext dbContext, IServiceProvider provider, TimeProvider time, Action<OutboxMessage>? prepare = null)
    : OutboxSendContext
{
    // A consumer may publish from several tasks at once, and a DbContext is not safe for that.
    private readonly Lock _gate = new();

    public IBusTopology Topology { get; } = provider.GetRequiredService<IBus>().Topology;

    public Task AddSend<T>(SendContext<T> context)
        where T : class
    {
        var row = CapturedMessage.From(context, IsPublished(context), prepare is not null, registration.Options, time.GetUtcNow().UtcDateTime);
        lock (_gate)
        {
            if (prepare is not null)
                prepare(row);
            else
                dbContext.Add(row);
        }

        return Task.CompletedTask;
    }

    /// <summary>Takes a scheduled message back, in the DbContext's transaction if it has one.</summary>
    /// <returns>Whether it was still there: stored and not yet due, or waiting for the next save.</returns>
    public async Task<bool> Cancel(Guid token, CancellationToken cancellationToken)
    {
        var unsaved = false;
        lock (_gate)
        {
            foreach (var row in OutboxInterceptor.CapturedIn(dbContext, EntityState.Added).Where(e => e.Entity.MessageId == token && e.Entity.DueAt != null))
            {
                row.State = EntityState.Detached;
                unsaved = true;
            }
        }

        // The promotion ends the cancelling by clearing the due time. One that was tried may have arrived, and one that holds
        // its key is released by the relay alone. A half message is due because it was committed.
        var deleted = await dbContext.Set<OutboxMessage>()
            .Where(m => m.MessageId == token && m.DueAt != null && m.State == OutboxMessageState.Pending && m.Attempts == 0 && m.Returns == 0 && !m.Holds && m.History == null)
            .ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false);
        return unsaved || deleted > 0;
    }

    /// <summary>Whether the message goes where its type is published to: its destination then follows from the type.</summary>
    private bool IsPublished<T>(SendContext<T> context)
        where T : class
        => context.DestinationAddress is { } destination
            && Topology.TryGetPublishAddress<T>(out var published)
            && destination.GetLeftPart(UriPartial.Path) == published.GetLeftPart(UriPartial.Path);

    public object? GetService(Type serviceType) => provider.GetService(serviceType);
}
