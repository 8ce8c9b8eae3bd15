using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Notifications;

/// <summary>A notification is numbered right after the commit that made it, and not only when it is time to look.</summary>
internal sealed class WakeFeedOnCommit(FeedSignal signal) : DbTransactionInterceptor
{
    public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => signal.Wake();

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        signal.Wake();
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
