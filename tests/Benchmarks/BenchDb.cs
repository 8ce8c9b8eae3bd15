using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Benchmarks;

/// <summary>The business of the benchmarks: a row, and the message of 1 KB that reports it.</summary>
internal sealed class BenchDb(DbContextOptions<BenchDb> options) : DbContext(options)
{
    public DbSet<Item> Items => Set<Item>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Item>().Property(i => i.Id).ValueGeneratedNever();
        modelBuilder.AddTransactionalOutboxEntities();
    }
}

internal sealed class Item
{
    public Guid Id { get; set; }

    public string Name { get; set; } = "";
}

/// <summary>Published by the benchmarks; padded so that the body as sent has 1 KB.</summary>
public sealed record ItemAdded(Guid Id, string Text)
{
    public const string Exchange = "Benchmarks:ItemAdded";

    // The envelope around it has some 600 bytes.
    public static ItemAdded OneKilobyte() => new(NewId.NextGuid(), new string('x', 400));
}
