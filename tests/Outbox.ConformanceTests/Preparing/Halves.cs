using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Preparing;

namespace Outbox.ConformanceTests.Preparing;

/// <summary>Half messages as the suites deal with them.</summary>
internal static class Halves
{
    /// <summary>Gives a scope the handle of a half message that another one prepared: what a second decider is.</summary>
    public static async Task<IHalfMessage> Half(this IServiceProvider scope, Guid messageId)
    {
        var db = scope.GetRequiredService<ShopDb>();
        var row = await db.OutboxMessages.AsNoTracking().SingleAsync(m => m.MessageId == messageId);
        return new HalfMessage(row, new Preparation(
            scope.GetRequiredService<OutboxRegistration<ShopDb>>(), scope.GetRequiredService<OutboxStore<ShopDb>>(),
            scope.GetRequiredService<DecisionInterceptor>(), db, scope, TimeProvider.System));
    }

    /// <summary>Commits or rolls back with the next save.</summary>
    public static void Decide(this IHalfMessage half, bool commit)
    {
        if (commit)
            half.Commit();
        else
            half.Rollback();
    }
}
