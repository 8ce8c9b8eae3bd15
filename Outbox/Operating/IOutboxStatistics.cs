using Microsoft.EntityFrameworkCore;

namespace Outbox;

/// <summary>How much lies in an outbox, and how old it is.</summary>
/// <typeparam name="TDbContext">The DbContext that the outbox was registered for.</typeparam>
public interface IOutboxStatistics<TDbContext>
    where TDbContext : DbContext
{
    /// <summary>Counts, in one query that costs the same however much there is.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    Task<OutboxStatistics> Get(CancellationToken cancellationToken = default);
}

/// <summary>How much lies in an outbox. Counts stop at <see cref="CountLimit"/>: a larger one reads as that number.</summary>
/// <param name="Ready">Messages that could be sent now.</param>
/// <param name="Waiting">Messages with a due time: scheduled, or backed off after a failure.</param>
/// <param name="Holding">Messages that hold back the later ones of their key, failing or dead.</param>
/// <param name="Dead">Messages that wait for an operator.</param>
/// <param name="OldestReadyAt">When the oldest message that could be sent now was captured (UTC); null when there is none.</param>
/// <param name="Prepared">Half messages that are not decided yet and will be checked back; they are no backlog.</param>
/// <param name="Undecided">Half messages that no check-back could decide: they wait for an operator.</param>
/// <param name="OldestPreparedAt">When the oldest half message that is not decided was prepared (UTC); null when there is none.</param>
public sealed record OutboxStatistics(
    int Ready, int Waiting, int Holding, int Dead, DateTime? OldestReadyAt, int Prepared = 0, int Undecided = 0, DateTime? OldestPreparedAt = null)
{
    /// <summary>Where counting stops, so that it stays cheap while a backlog grows.</summary>
    public const int CountLimit = 100_000;
}
