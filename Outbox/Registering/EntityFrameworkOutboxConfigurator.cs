using System.Data;
using MassTransit;
using MassTransit.DependencyInjection;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Outbox.Capturing;
using Outbox.Checking;
using Outbox.Databases;
using Outbox.Operating;
using Outbox.Preparing;
using Outbox.Relaying;
using Outbox.Receiving;
using Outbox.Telemetry;

namespace Outbox.Registering;

/// <inheritdoc cref="IEntityFrameworkOutboxConfigurator"/>
internal sealed class EntityFrameworkOutboxConfigurator<TDbContext>(IBusRegistrationConfigurator services)
    : IEntityFrameworkOutboxConfigurator, IEntityFrameworkBusOutboxConfigurator
    where TDbContext : DbContext
{
    public OutboxOptions Options { get; } = new();

    public TimeSpan DuplicateDetectionWindow { get => Options.DuplicateDetectionWindow; set => Options.DuplicateDetectionWindow = value; }

    public IsolationLevel IsolationLevel { set => Options.IsolationLevel = value; }

    public TimeSpan QueryDelay { get => Options.QueryDelay; set => Options.QueryDelay = value; }

    public int QueryMessageLimit { get => Options.QueryMessageLimit; set => Options.QueryMessageLimit = value; }

    public TimeSpan QueryTimeout { get => Options.QueryTimeout; set => Options.QueryTimeout = value; }

    public int MessageDeliveryLimit { get => Options.MessageDeliveryLimit; set => Options.MessageDeliveryLimit = value; }

    public TimeSpan MessageDeliveryTimeout { get => Options.MessageDeliveryTimeout; set => Options.MessageDeliveryTimeout = value; }

    public void DisableInboxCleanupService() => Options.InboxCleanupServiceEnabled = false;

    public void DisableDeliveryService() => Options.DeliveryServiceEnabled = false;

    public void PartitionBy<TMessage>(Func<TMessage, object?> key)
        where TMessage : class
        => Options.PartitionKeys.Add(key);

    public void AllowUnrouted<TMessage>()
        where TMessage : class
        => Options.UnroutedAllowed.Add(typeof(TMessage));

    public void AddCheckBack<TMessage, TChecker>(Action<CheckBackOptions>? configure = null)
        where TMessage : class
        where TChecker : class, ICheckBack<TMessage>
    {
        Options.CheckBacks.Add(new CheckBack<TMessage, TChecker>(Options, configure));
        services.TryAddScoped<TChecker>();
    }

    public void HalfMessage<TMessage>()
        where TMessage : class
        => Options.CheckBacks.Declare(typeof(TMessage));

    public void UseBusOutbox(Action<IEntityFrameworkBusOutboxConfigurator>? configure = null)
    {
        configure?.Invoke(this);
        services.AddSingleton(new BusOutbox(typeof(TDbContext)));
        services.Replace(ServiceDescriptor.Scoped<IScopedBusContextProvider<IBus>>(provider =>
            ActivatorUtilities.CreateInstance<CapturedBusContext<TDbContext>>(provider)));
        services.Replace(ServiceDescriptor.Scoped<IMessageScheduler>(provider => ActivatorUtilities.CreateInstance<CapturedScheduler<TDbContext>>(provider).Scheduler));
    }

    /// <summary>Registers the parts. What another outbox has registered already is shared with it.</summary>
    public void Register(Action<IEntityFrameworkOutboxConfigurator>? configure)
    {
        if (services.Any(s => s.ServiceType == typeof(OutboxRegistration<TDbContext>)))
            throw new ConfigurationException($"The outbox of {typeof(TDbContext).Name} must be added once; AddEntityFrameworkOutbox<{typeof(TDbContext).Name}> was called twice.");

        if (Array.Find(services.GetType().GetInterfaces(), IsTypedBus) is { } typed)
        {
            throw new ConfigurationException(
                $"The outbox of {typeof(TDbContext).Name} must be added to the default bus (AddMassTransit); found {typed.GetGenericArguments()[0].Name}. Its messages would go to the default bus all the same.");
        }

        configure?.Invoke(this);
        if (Options.Problems().ToArray() is { Length: > 0 } problems)
            throw new ConfigurationException($"The options of the outbox of {typeof(TDbContext).Name} are not valid: {string.Join(' ', problems)}");

        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<OutboxInterceptor>();
        services.TryAddSingleton<DecisionInterceptor>();
        services.TryAddSingleton<InboxConnections>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton(typeof(IDbContextOptionsConfiguration<>), typeof(OutboxOptionsConfiguration<>)));

        var registration = new OutboxRegistration<TDbContext>(Options);
        services.AddSingleton(registration);
        services.AddSingleton<OutboxRegistration>(registration);
        services.AddSingleton<OutboxStore<TDbContext>>();
        services.AddSingleton<IDeadMessages<TDbContext>, DeadMessages<TDbContext>>();
        services.AddSingleton<IOutboxStatistics<TDbContext>, OutboxStatisticsQuery<TDbContext>>();
        services.AddHostedService<OutboxStartUp<TDbContext>>();
        services.AddHostedService<InsertTriggers<TDbContext>>();
        services.AddHostedService<OutboxMetrics<TDbContext>>();
        RegisterWatch();
        services.AddSingleton<IHalfMessages<TDbContext>, HalfMessages<TDbContext>>();
        services.TryAddSingleton<MessageReader>();
        services.TryAddScoped<CheckBackContext>();
        if (Options.DeliveryServiceEnabled)
        {
            services.AddHostedService<RelayService<TDbContext>>();
            services.AddHostedService<CheckBackService<TDbContext>>();
        }

        RegisterInbox();
        services.AddScoped<IOutboxFactory<TDbContext>, OutboxFactory<TDbContext>>();
        services.AddScoped(provider => provider.GetRequiredService<IOutboxFactory<TDbContext>>().For(provider.GetRequiredService<TDbContext>()));
    }

    private static bool IsTypedBus(Type type)
        => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IBusRegistrationConfigurator<>) && type.GetGenericArguments()[0] != typeof(IBus);

    private void RegisterWatch()
    {
        if (services.Any(s => s.ServiceType == typeof(UntoldChannels)))
            return;
        services.AddSingleton<UntoldChannels>();
        services.AddHostedService<DeadConnectionWatch>();
        services.AddConfigureEndpointsCallback((context, _, endpoint) => context.GetRequiredService<UntoldChannels>().Watch(endpoint));
    }

    private void RegisterInbox()
    {
        if (!services.Any(s => s.ImplementationType == typeof(InboxPlacement)))
            services.AddBusObserver<InboxPlacement>();
        services.AddSingleton<InboxTransactions<TDbContext>>();
        services.AddScoped<IOutboxContextFactory<TDbContext>, InboxContextFactory<TDbContext>>();

        services.AddSingleton<InboxCleanUp<TDbContext>>();
        if (Options.InboxCleanupServiceEnabled)
            services.AddHostedService(provider => provider.GetRequiredService<InboxCleanUp<TDbContext>>());

        if (Options.KeepDelivered is not null)
        {
            if (!services.Any(s => s.ImplementationType == typeof(FaultedDeliveries)))
                services.AddReceiveObserver<FaultedDeliveries>();
            services.AddSingleton<KeptMessages, KeptMessages<TDbContext>>();
        }
    }
}

/// <summary>Says which DbContext the plain endpoints of the bus belong to.</summary>
internal sealed record BusOutbox(Type DbContextType);
