using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Users;

namespace Services.Tests;

/// <summary>Can hold up the storing of a new top-up's row, whose message is prepared by then.</summary>
public sealed class StoringTopUps : SaveChangesInterceptor
{
    private PaymentWire.Hold? next;

    /// <summary>Holds up the next one.</summary>
    public PaymentWire.Hold Hold() => next = new PaymentWire.Hold(_ => false, before: true);

    public override async ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        var stores = eventData.Context?.ChangeTracker.Entries<TopUp>().Any(entry => entry.State == EntityState.Added) ?? false;
        if (stores && Interlocked.Exchange(ref next, null) is { } hold)
        {
            await hold.Pass();
        }

        return result;
    }
}
