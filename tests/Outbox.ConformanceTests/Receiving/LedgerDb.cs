using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Outbox.ConformanceTests.Receiving;

/// <summary>What the consumers of these suites write to, beside the inbox and the outbox.</summary>
public class LedgerDb(DbContextOptions<LedgerDb> options) : DbContext(options)
{
    public DbSet<Entry> Entries => Set<Entry>();

    public DbSet<OutboxMessage> Outgoing => Set<OutboxMessage>();

    public DbSet<InboxMessage> Inbox => Set<InboxMessage>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.AddTransactionalOutboxEntities();
        modelBuilder.Entity<Entry>().HasIndex(e => e.Text).IsUnique();
    }
}

public sealed class Entry
{
    public int Id { get; set; }

    public string Text { get; set; } = "";
}

public sealed record Credit(string Text);

public sealed record Credited(string Text);
