using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Capturing;

namespace Outbox.Databases;

/// <summary>Puts <see cref="InsertBatch"/> and <see cref="LeanTransaction"/> into the own services of a DbContext on PostgreSQL.</summary>
internal sealed class FewerRoundTrips(OutboxInterceptor interceptor) : IDbContextOptionsExtension
{
    private const string Provider = "Npgsql.EntityFrameworkCore.PostgreSQL";

    private IDbContextOptionsExtension? _provider;

    public DbContextOptionsExtensionInfo Info => new Description(this);

    /// <summary>Whether a row that this DbContext inserts is inserted, or fails.</summary>
    public bool KeepsInserts(DbContext dbContext) => interceptor.RegistrationOf(dbContext)?.KeepsInserts.Task is { IsCompletedSuccessfully: true, Result: true };

    // EF calls it before the services are applied, when all extensions are known.
    public void Validate(IDbContextOptions options) => _provider = options.Extensions.FirstOrDefault(e => e.Info.IsDatabaseProvider);

    public void ApplyServices(IServiceCollection services)
    {
        if (_provider?.GetType().Assembly.GetName().Name != Provider)
            return;

        // What the provider says once more, in its turn, changes nothing.
        _provider.ApplyServices(services);
        Replace<IModificationCommandBatchFactory>(services, (own, provider) => new InsertBatchFactory(
            own, provider.GetRequiredService<ICurrentDbContext>(), provider.GetRequiredService<IDbContextOptions>()));

        // A provider that has transactions of its own knows better.
        if (services.LastOrDefault(s => s.ServiceType == typeof(IRelationalTransactionFactory))?.ImplementationType == typeof(RelationalTransactionFactory))
            Replace<IRelationalTransactionFactory>(services, (_, provider) => new LeanTransactionFactory(provider.GetRequiredService<RelationalTransactionFactoryDependencies>()));
    }

    private static void Replace<T>(IServiceCollection services, Func<T, IServiceProvider, T> by)
        where T : class
    {
        if (services.LastOrDefault(s => s.ServiceType == typeof(T)) is not { ImplementationType: { } type } own)
            return;
        services.Remove(own);
        services.Add(new ServiceDescriptor(typeof(T), provider => by((T)ActivatorUtilities.CreateInstance(provider, type), provider), own.Lifetime));
    }

    private sealed class Description(IDbContextOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "";

        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is Description;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
        {
            // Nothing to choose.
        }
    }
}
