using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Notifications;

/// <summary>
/// A notification is numbered right after the commit that made it, and not only when it is time to look. Most commits make none: attempts
/// are begun and written down.
/// </summary>
internal sealed class WakeFeedOnCommit(FeedSignal signal) : DbTransactionInterceptor, ISaveChangesInterceptor
{
    private readonly ConditionalWeakTable<DbContext, object> adding = [];

    public ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (eventData.Context is { } db && db.ChangeTracker.Entries<Notification>().Any(entry => entry.State == EntityState.Added))
        {
            adding.AddOrUpdate(db, signal);
        }

        return ValueTask.FromResult(result);
    }

    public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData)
    {
        if (eventData.Context is { } db && adding.Remove(db))
        {
            signal.Wake();
        }
    }

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionCommitted(transaction, eventData);
        return Task.CompletedTask;
    }
}

/// <summary>Hooks the context of whichever database it is; other modules' contexts of the same process are left alone.</summary>
internal sealed class WakeFeedConfiguration<TContext>(WakeFeedOnCommit interceptor) : IDbContextOptionsConfiguration<TContext>
    where TContext : DbContext
{
    public void Configure(IServiceProvider serviceProvider, DbContextOptionsBuilder optionsBuilder)
    {
        if (typeof(TContext).IsAssignableTo(typeof(NotificationsDb)))
        {
            optionsBuilder.AddInterceptors(interceptor);
        }
    }
}
