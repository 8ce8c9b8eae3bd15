using System.Data.Common;
using MassTransit;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Outbox.Capturing;
using Outbox.Databases;
using Outbox.Relaying;

namespace Outbox.Registering;

/// <summary>Looks once, at the start, for what would otherwise lose messages without an error.</summary>
internal sealed class OutboxStartUp<TDbContext>(
    OutboxStore<TDbContext> store, OutboxInterceptor interceptor, OutboxRegistration<TDbContext> registration,
    IEnumerable<OutboxRegistration> registrations, IEnumerable<BusOutbox> busOutboxes, IBusControl bus, IEnumerable<IBusInstance> instances,
    ILogger<OutboxStartUp<TDbContext>> logger)
    : IHostedService
    where TDbContext : DbContext
{
    private static readonly string Context = typeof(TDbContext).Name;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (busOutboxes.Any() && registrations.Count() > 1)
        {
            throw new ConfigurationException(
                $"UseBusOutbox() needs to be the only outbox on the bus; found {string.Join(", ", registrations.Select(r => r.DbContextType.Name))}. "
                + $"Remove UseBusOutbox() and publish through IOutbox<{Context}>, which says which DbContext is meant.");
        }

        if (registration.Options.DeliveryServiceEnabled && bus.HostOf(instances) is IRabbitMqHostConfiguration { PublisherConfirmation: false })
        {
            throw new ConfigurationException(
                $"The outbox of {Context} needs the broker's confirmations, since a row is deleted when its message is confirmed; found PublisherConfirmation = false. "
                + "Remove it from the host's configuration.");
        }

        await using var scope = store.Open(out var dbContext).ConfigureAwait(false);

        var hooked = dbContext.GetService<IDbContextOptions>().FindExtension<CoreOptionsExtension>()?.Interceptors?.Contains(interceptor) ?? false;
        if (!hooked)
        {
            throw new ConfigurationException(
                $"{dbContext.GetType().Name} must be hooked by its outbox; found options without it. Register it with AddDbContext, AddDbContextPool or "
                + $"AddDbContextFactory, or call optionsBuilder.UseOutbox(serviceProvider) in OnConfiguring.");
        }

        store.Bind(dbContext);

        // Where a relay runs it looks for itself, as soon as the database answers.
        if (!registration.Options.DeliveryServiceEnabled)
            await CheckPartitionCount(dbContext, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Rows stored in a partition that nobody leases would never be sent.</summary>
    private async Task CheckPartitionCount(DbContext dbContext, CancellationToken cancellationToken)
    {
        int found;
        try
        {
            found = await dbContext.Set<OutboxLease>().CountAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when ((exception as DbException ?? exception.InnerException) is DbException)
        {
            // Some providers wrap what tells of a database that is away.
            logger.PartitionsNotChecked(Context, registration.Options.PartitionCount, exception.GetBaseException().Message);
            return;
        }

        // None yet: the first relay makes as many as it is configured with, and refuses another number itself.
        if (found > 0 && found != registration.Options.PartitionCount)
        {
            throw new ConfigurationException(
                $"The outbox of {Context} is configured with {registration.Options.PartitionCount} partitions (OutboxOptions.PartitionCount); its database has {found}.");
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

internal static partial class OutboxStartUpLog
{
    [LoggerMessage(1001, LogLevel.Information, "The outbox of {DbContext} expects {Partitions} partitions; the database could not be asked yet: {Reason}")]
    public static partial void PartitionsNotChecked(this ILogger logger, string dbContext, int partitions, string reason);
}
