using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace ServiceDefaults;

/// <summary>The outboxes and inboxes of the services.</summary>
public static class ServiceOutbox
{
    // Both count the time that the process runs. The inbox remembers longer than the outbox keeps: what is sent again
    // at a start must be recognised.
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(1);

    /// <summary>Adds a module's outbox, and has it keep what it sent when the transport would forget it.</summary>
    /// <typeparam name="TDb">The module's DbContext.</typeparam>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">The module's own settings, such as what its messages are ordered by.</param>
    public static void AddServiceOutbox<TDb>(
        this IBusRegistrationConfigurator bus, Action<IEntityFrameworkOutboxConfigurator>? configure = null)
        where TDb : DbContext =>
        bus.AddEntityFrameworkOutbox<TDb>(outbox =>
        {
            outbox.DuplicateDetectionWindow = Remembered;
            if (ServiceBus.IsInProcess(bus))
            {
                outbox.Options.KeepDelivered = Kept;
                outbox.Options.RedeliverOnStart = true;
            }

            configure?.Invoke(outbox);
        });
}
