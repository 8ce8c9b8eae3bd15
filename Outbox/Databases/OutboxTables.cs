using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Outbox.Databases;

/// <summary>The tables of an outbox.</summary>
internal sealed class OutboxTables
{
    private readonly Table? _inbox;

    public OutboxTables(DbContext dbContext)
    {
        var sql = dbContext.GetService<ISqlGenerationHelper>();
        Message = Table.Of<OutboxMessage>(dbContext.Model, sql);
        _inbox = dbContext.Model.FindEntityType(typeof(InboxMessage)) is null ? null : Table.Of<InboxMessage>(dbContext.Model, sql);
        Replica = Table.Of<OutboxReplica>(dbContext.Model, sql);
        Lease = Table.Of<OutboxLease>(dbContext.Model, sql);
    }

    public Table Message { get; }

    /// <summary>Whether there is an inbox: a service that only sends needs none.</summary>
    public bool HasInbox => _inbox is not null;

    /// <exception cref="ConfigurationException">The model has no inbox.</exception>
    public Table Inbox => _inbox ?? throw new ConfigurationException(
        $"The model must contain {nameof(InboxMessage)} where an endpoint calls UseEntityFrameworkOutbox; found none. "
        + "Call modelBuilder.AddInboxStateEntity() in OnModelCreating, and add a migration.");

    public Table Replica { get; }

    public Table Lease { get; }
}
