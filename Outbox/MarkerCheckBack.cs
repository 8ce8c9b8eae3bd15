using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Outbox.Checking;
using Outbox.Databases;

namespace Outbox;

/// <summary>
/// Answers for local work in another relational database. The work marks itself as done there, in its own transaction
/// (<c>otherDb.MarkDone(half)</c>); the check-back closes the door with a marker of its own, and the key decides who was first.
/// </summary>
/// <remarks>
/// <para>
/// Register it for a message type by <c>AddCheckBack&lt;TMessage, MarkerCheckBack&lt;TOtherDbContext&gt;&gt;()</c>, and add the
/// marker's table to the other model by <c>modelBuilder.AddHalfMessageMarkerEntity()</c>.
/// </para>
/// <para>
/// A transaction of the work that is still open makes the check wait, at most for <see cref="OutboxOptions.CheckTimeout"/>;
/// waiting for longer is no answer, and is tried again. Work that comes after the check fails on the key when it saves.
/// Markers are deleted together with the outbox's decision (<see cref="OutboxOptions.DecisionRetention"/>), never before. A
/// message that is older than that and has no marker is never rolled back for its absence: the answer is Unknown.
/// </para>
/// </remarks>
/// <typeparam name="TOtherDbContext">The DbContext of the other database.</typeparam>
/// <param name="other">The other database.</param>
/// <param name="context">The message that is asked about.</param>
/// <param name="time">The clock.</param>
public sealed class MarkerCheckBack<TOtherDbContext>(TOtherDbContext other, CheckBackContext context, TimeProvider time) : ICheckBack<object>, IMarkers
    where TOtherDbContext : DbContext
{
    /// <inheritdoc/>
    public async Task<CheckBackAnswer> Check(object message, CancellationToken cancellationToken)
    {
        // Two statements, the second of which sees what was committed while the first one waited.
        if (time.GetUtcNow().UtcDateTime < context.AbsenceCountsUntil)
            await Fence(cancellationToken).ConfigureAwait(false);
        var marker = await Markers.SingleOrDefaultAsync(m => m.MessageId == context.MessageId, cancellationToken).ConfigureAwait(false);
        return marker switch
        {
            null => CheckBackAnswer.Unknown,
            { Done: true } => CheckBackAnswer.Committed,
            _ => CheckBackAnswer.RolledBack,
        };
    }

    /// <summary>An operator's roll-back closes the door like a check: work that comes later fails on the key.</summary>
    /// <exception cref="InvalidOperationException">The work was done already: the message has to be committed.</exception>
    public async Task OperatorDecided(object message, CheckBackAnswer decision, CancellationToken cancellationToken)
    {
        if (decision != CheckBackAnswer.RolledBack)
            return;

        await Fence(cancellationToken).ConfigureAwait(false);
        if (await Markers.AnyAsync(m => m.MessageId == context.MessageId && m.Done, cancellationToken).ConfigureAwait(false))
        {
            throw new InvalidOperationException(
                $"Half message {context.MessageId} cannot be rolled back: its local work was expected not to be done, and is marked as done in {typeof(TOtherDbContext).Name}. Commit it.");
        }
    }

    async Task IMarkers.Forget(IReadOnlyCollection<Guid> messageIds, CancellationToken cancellationToken)
        => await Markers.Where(m => messageIds.Contains(m.MessageId)).ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false);

    private IQueryable<HalfMessageMarker> Markers => other.Set<HalfMessageMarker>().AsNoTracking();

    /// <summary>Closes the door, unless somebody has come through or closed it before; waits for who is just coming.</summary>
    private async Task Fence(CancellationToken cancellationToken)
    {
        var sql = other.GetService<ISqlGenerationHelper>();
        var table = Table.Of<HalfMessageMarker>(other.Model, sql);
        var (id, done) = (table[nameof(HalfMessageMarker.MessageId)], table[nameof(HalfMessageMarker.Done)]);
        const string values = "VALUES ({0}, {1})";
        var insert = other.Database.ProviderName switch
        {
            "Npgsql.EntityFrameworkCore.PostgreSQL" or "Microsoft.EntityFrameworkCore.Sqlite"
                => $"INSERT INTO {table} ({id}, {done}) {values} ON CONFLICT ({id}) DO NOTHING",
            "Microsoft.EntityFrameworkCore.SqlServer" => $"""
                SET XACT_ABORT OFF;
                BEGIN TRY
                  INSERT INTO {table} ({id}, {done}) {values};
                END TRY
                BEGIN CATCH
                  IF ERROR_NUMBER() NOT IN (2601, 2627)
                    THROW;
                END CATCH
                """,
            var provider => throw new ConfigurationException(
                $"MarkerCheckBack<{typeof(TOtherDbContext).Name}> needs PostgreSQL, SQL Server or SQLite; found the provider {provider}."),
        };
        await other.Database.ExecuteSqlRawAsync(insert, [context.MessageId, false], cancellationToken).ConfigureAwait(false);
    }
}
