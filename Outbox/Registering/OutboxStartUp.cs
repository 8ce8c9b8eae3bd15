using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outbox.Capturing;
using Outbox.Databases;

namespace Outbox.Registering;

/// <summary>Looks once, at the start, for what would otherwise lose messages without an error.</summary>
internal sealed class OutboxStartUp<TDbContext>(
    IServiceScopeFactory scopes, OutboxStore<TDbContext> store, OutboxInterceptor interceptor, IEnumerable<OutboxRegistration> registrations, IEnumerable<BusOutbox> busOutboxes)
    : IHostedService
    where TDbContext : DbContext
{
    private static readonly string Context = typeof(TDbContext).Name;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (busOutboxes.Any() && registrations.Count() > 1)
        {
            throw new ConfigurationException(
                $"UseBusOutbox() needs to be the only outbox on the bus; found {string.Join(", ", registrations.Select(r => r.DbContextType.Name))}. "
                + $"Remove UseBusOutbox() and publish through IOutbox<{Context}>, which says which DbContext is meant.");
        }

        using var scope = scopes.CreateScope();
        var dbContext = scope.ServiceProvider.GetRequiredService<TDbContext>();

        var hooked = dbContext.GetService<IDbContextOptions>().FindExtension<CoreOptionsExtension>()?.Interceptors?.Contains(interceptor) ?? false;
        if (!hooked)
        {
            throw new ConfigurationException(
                $"{dbContext.GetType().Name} must be hooked by its outbox; found options without it. Register it with AddDbContext, AddDbContextPool or "
                + $"AddDbContextFactory, or call optionsBuilder.UseOutbox(serviceProvider) in OnConfiguring.");
        }

        store.Bind(dbContext);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
