using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Outbox.Preparing;
using Outbox.Receiving;

namespace Outbox.Capturing;

/// <summary>
/// Hooks the run-time type: registered as an open generic, so that a context which was registered as a derived class,
/// pooled, or made by a factory is hooked like any other.
/// </summary>
internal sealed class OutboxOptionsConfiguration<TContext>(OutboxInterceptor interceptor, DecisionInterceptor decisions, InboxConnections connections) : IDbContextOptionsConfiguration<TContext>
    where TContext : DbContext
{
    public void Configure(IServiceProvider serviceProvider, DbContextOptionsBuilder optionsBuilder)
    {
        if (interceptor.Serves(typeof(TContext)))
            optionsBuilder.UseOutbox(interceptor, decisions, connections);
    }
}
