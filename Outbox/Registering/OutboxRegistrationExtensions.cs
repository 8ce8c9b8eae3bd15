using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Outbox.Capturing;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Receiving;
using Outbox.Registering;

namespace MassTransit;

/// <summary>Adds the outbox and the inbox to a bus and its endpoints.</summary>
public static class OutboxRegistrationExtensions
{
    /// <summary>
    /// Adds the outbox and the inbox of a DbContext: <see cref="Outbox.IOutbox{TDbContext}"/> to publish and send in its
    /// transactions, and a relay that sends what was committed. Several DbContexts may each have their own on one bus.
    /// </summary>
    /// <typeparam name="TDbContext">The DbContext; a derived class may be what is registered.</typeparam>
    /// <param name="configurator">The bus registration.</param>
    /// <param name="configure">Changes the options.</param>
    /// <exception cref="ConfigurationException">An option is out of its range, or the outbox of this DbContext was added before.</exception>
    public static void AddEntityFrameworkOutbox<TDbContext>(this IBusRegistrationConfigurator configurator, Action<IEntityFrameworkOutboxConfigurator>? configure = null)
        where TDbContext : DbContext
        => new EntityFrameworkOutboxConfigurator<TDbContext>(configurator).Register(configure);

    /// <summary>
    /// Hooks the outbox into a DbContext whose options are not built by <c>AddDbContext</c>, <c>AddDbContextPool</c> or
    /// <c>AddDbContextFactory</c>: call it from <c>OnConfiguring</c>.
    /// </summary>
    /// <param name="optionsBuilder">The options.</param>
    /// <param name="serviceProvider">The application's services.</param>
    public static DbContextOptionsBuilder UseOutbox(this DbContextOptionsBuilder optionsBuilder, IServiceProvider serviceProvider)
        => optionsBuilder.UseOutbox(
            serviceProvider.GetRequiredService<OutboxInterceptor>(), serviceProvider.GetRequiredService<DecisionInterceptor>(), serviceProvider.GetRequiredService<InboxConnections>());

    internal static DbContextOptionsBuilder UseOutbox(
        this DbContextOptionsBuilder optionsBuilder, OutboxInterceptor interceptor, DecisionInterceptor decisions, InboxConnections connections)
    {
        ((IDbContextOptionsBuilderInfrastructure)optionsBuilder).AddOrUpdateExtension(new FewerRoundTrips(interceptor));
        return optionsBuilder.AddInterceptors(interceptor, decisions, connections);
    }

    /// <summary>Chooses the partition key of this message: messages of one key keep their order.</summary>
    /// <param name="context">The message being published or sent.</param>
    /// <param name="key">The key. All of it counts; its first 256 characters are kept for people to read.</param>
    public static void SetOutboxPartitionKey(this SendContext context, string key)
        => context.AddOrUpdatePayload(() => new PartitionKey(key), _ => new PartitionKey(key));

    /// <summary>Says that the database is PostgreSQL. Optional: the provider is recognised from the DbContext.</summary>
    /// <param name="configurator">The outbox.</param>
    /// <param name="enableSchemaCaching">Accepted for familiarity: the names of the tables are always read once.</param>
    public static IEntityFrameworkOutboxConfigurator UsePostgres(this IEntityFrameworkOutboxConfigurator configurator, bool enableSchemaCaching = true) => configurator;

    /// <summary>Says that the database is SQLite. Optional: the provider is recognised from the DbContext.</summary>
    /// <param name="configurator">The outbox.</param>
    /// <param name="enableSchemaCaching">Accepted for familiarity: the names of the tables are always read once.</param>
    public static IEntityFrameworkOutboxConfigurator UseSqlite(this IEntityFrameworkOutboxConfigurator configurator, bool enableSchemaCaching = true) => configurator;

    /// <summary>Says that the database is SQL Server. Optional: the provider is recognised from the DbContext.</summary>
    /// <param name="configurator">The outbox.</param>
    /// <param name="enableSchemaCaching">Accepted for familiarity: the names of the tables are always read once.</param>
    public static IEntityFrameworkOutboxConfigurator UseSqlServer(this IEntityFrameworkOutboxConfigurator configurator, bool enableSchemaCaching = true) => configurator;
}
