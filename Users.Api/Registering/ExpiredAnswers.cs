using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Users;

/// <summary>Forgets answers whose day is over, in batches so small that no request waits for them.</summary>
public sealed class ExpiredAnswers(UsersDb db, TimeProvider time) : IChore
{
    internal const int Batch = 500;

    static TimeSpan IChore.Period => TimeSpan.FromMinutes(10);

    /// <summary>Deletes all that have expired.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> Delete(CancellationToken cancellationToken)
    {
        var now = time.UtcNow();
        var total = 0;
        int deleted;
        do
        {
            deleted = await db.StoredAnswers
                .Where(a => db.StoredAnswers
                    .Where(e => e.ExpiresAt <= now).OrderBy(e => e.ExpiresAt).Take(Batch).Select(e => e.Key)
                    .Contains(a.Key))
                .ExecuteDeleteAsync(cancellationToken);
            total += deleted;
        }
        while (deleted == Batch);
        return total;
    }

    Task IChore.Do(CancellationToken cancellationToken) => Delete(cancellationToken);
}
