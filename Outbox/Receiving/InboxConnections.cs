using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Outbox.Receiving;

/// <summary>
/// A DbContext whose inbox transaction has lost its connection gets no other one: what a consumer that caught the failure does next would be
/// committed by itself, without the note that the message was consumed, and done again with the next delivery.
/// </summary>
internal sealed class InboxConnections : DbConnectionInterceptor
{
    private readonly ConditionalWeakTable<DbContext, object> _inTransaction = [];

    /// <summary>The transaction has begun: its connection is open and stays so.</summary>
    public void Begun(DbContext dbContext) => _inTransaction.AddOrUpdate(dbContext, this);

    /// <summary>The transaction ends.</summary>
    public void Ended(DbContext dbContext) => _inTransaction.Remove(dbContext);

    public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
    {
        Refuse(eventData.Context);
        return result;
    }

    public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        Refuse(eventData.Context);
        return ValueTask.FromResult(result);
    }

    private void Refuse(DbContext? dbContext)
    {
        if (dbContext is not null && _inTransaction.TryGetValue(dbContext, out _))
        {
            throw new InvalidOperationException(
                "The inbox's transaction needs the connection that it was begun on; found it closed. It was lost in the middle of a consumer, "
                + "and nothing of this message is saved; let the consumer fail, and the message is delivered again.");
        }
    }
}
