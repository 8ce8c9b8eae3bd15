using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.Databases;

/// <summary>The tables of an outbox.</summary>
internal sealed class OutboxTables
{
    public OutboxTables(DbContext dbContext)
    {
        var sql = dbContext.GetService<ISqlGenerationHelper>();
        Message = Table.Of<OutboxMessage>(dbContext.Model, sql);
        Inbox = Table.Of<InboxMessage>(dbContext.Model, sql);
        Replica = Table.Of<OutboxReplica>(dbContext.Model, sql);
        Lease = Table.Of<OutboxLease>(dbContext.Model, sql);
    }

    public Table Message { get; }

    public Table Inbox { get; }

    public Table Replica { get; }

    public Table Lease { get; }
}
