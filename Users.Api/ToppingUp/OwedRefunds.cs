using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore;

namespace Users;

/// <summary>
/// Gives back what may have been taken for top-ups that an operator has rolled back, however often that has to be tried. At
/// the provider it closes the charge: one that comes later still is refused.
/// </summary>
internal sealed class OwedRefunds(UsersDb db, Payments payments) : IChore
{
    private const int Batch = 100;

    public static TimeSpan Period => TimeSpan.FromSeconds(30);

    // One that cannot be given back now keeps no other waiting.
    public async Task Do(CancellationToken cancellationToken)
    {
        ExceptionDispatchInfo? failure = null;
        List<TopUp> owed = [];
        do
        {
            var (last, lastAt) = (owed.LastOrDefault()?.Id, owed.LastOrDefault()?.StartedAt);
            owed = await db.TopUps
                .Where(t => t.State == TopUpState.Refunding)
                .Where(t => last == null || t.StartedAt > lastAt || (t.StartedAt == lastAt && t.Id.CompareTo(last.Value) > 0))
                .OrderBy(t => t.StartedAt).ThenBy(t => t.Id)
                .Take(Batch)
                .ToListAsync(cancellationToken);
            foreach (var topUp in owed)
            {
                try
                {
                    await payments.Refund(topUp.Id, cancellationToken);
                    topUp.State = TopUpState.Failed;
                    await db.SaveChangesAsync(cancellationToken);
                }
                catch (Exception exception) when (PaymentPatience.IsNoAnswer(exception))
                {
                    failure ??= ExceptionDispatchInfo.Capture(exception);
                }
            }
        }
        while (owed.Count == Batch);

        failure?.Throw();
    }
}
