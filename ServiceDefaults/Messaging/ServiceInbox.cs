using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceDefaults;

/// <summary>How the services' consumers receive.</summary>
public static class ServiceInbox
{
    /// <summary>
    /// One transaction a message. A failure is tried three more times within a second, then redelivered from the outbox
    /// after 5 s, 30 s, 5 min and 1 h, each try in a transaction of its own, before the message is given up to the error
    /// queue.
    /// </summary>
    /// <typeparam name="TDb">The DbContext that the endpoint's consumer works with.</typeparam>
    public static void UseServiceInbox<TDb>(this IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
        where TDb : DbContext
    {
        if (context.GetRequiredService<IConfiguration>().DatabaseProvider() == DatabaseProvider.Sqlite)
        {
            endpoint.ConcurrentMessageLimit = 1;   // SQLite has one writer at a time; the others would only wait
        }

        endpoint.UseDelayedRedelivery(redelivery => redelivery.Intervals(
            TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(5), TimeSpan.FromHours(1)));
        endpoint.UseMessageRetry(retry => retry.Intervals(100, 300, 600));
        endpoint.UseEntityFrameworkOutbox<TDb>(context);
    }
}
