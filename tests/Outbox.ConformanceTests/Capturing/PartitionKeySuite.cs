using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>What decides the order of messages: the key and the partition that each gets when it is stored, and its number.</summary>
public abstract class PartitionKeySuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    private static Task<ShopHost> Host(TestDatabase database, Action<IEntityFrameworkOutboxConfigurator>? outbox = null)
        => ShopHost.StartAsync(database, o =>
        {
            o.Outbox = outbox;
            o.WithoutRelay();
        });

    [SkippableFact]
    public async Task The_messages_of_a_transaction_share_a_key_and_a_partition_over_its_saves()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            for (var number = 1; number <= 3; number++)
            {
                await outbox.Publish(new OrderPlaced(number));
                await db.SaveChangesAsync();
            }
            await transaction.CommitAsync();
        });
        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(4));
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Take(3).Select(r => (r.KeyHash, r.Partition)).Distinct().Count().ShouldBe(1);
        rows[3].KeyHash.ShouldNotBe(rows[0].KeyHash);
    }

    [SkippableFact]
    public async Task A_long_key_counts_as_a_whole_and_is_shown_in_part()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        var start = new string('k', 300);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1), context => context.SetOutboxPartitionKey(start + "1"));
            await outbox.Publish(new OrderPlaced(2), context => context.SetOutboxPartitionKey(start + "2"));
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Select(r => r.PartitionKey).Distinct(StringComparer.Ordinal).ShouldBe([start[..256]]);
        rows.Select(r => r.KeyHash).ShouldBe([PartitionKeys.Hash(start + "1"), PartitionKeys.Hash(start + "2")]);
    }

    [SkippableFact]
    public async Task A_key_decides_the_partition_whoever_stores_the_message()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.PartitionBy<OrderPlaced>(m => m.Customer));

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1, "ada"));
            await outbox.Publish(new OrderPlaced(2, "bob"));
            await outbox.Publish(new OrderPlaced(3));
            await outbox.Publish(new OrderPlaced(4), context => context.SetOutboxPartitionKey("ada"));
            await db.SaveChangesAsync();
        });

        var rows = await host.Rows();
        rows.Select(r => r.PartitionKey).ShouldBe(["ada", "bob", null, "ada"]);
        rows[0].KeyHash.ShouldBe(PartitionKeys.Hash("ada"));
        rows[0].Partition.ShouldBe(PartitionKeys.Partition(PartitionKeys.Hash("ada"), 16));
        rows[3].KeyHash.ShouldBe(rows[0].KeyHash);
    }

    [SkippableFact]
    public async Task A_hundred_messages_of_one_save_keep_their_order()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            for (var number = 0; number < 100; number++)
                await outbox.Publish(new OrderPlaced(number));
            await db.SaveChangesAsync();
        });

        var numbers = (await host.Rows()).Select(r =>
        {
            using var envelope = JsonDocument.Parse(r.Body);
            return envelope.RootElement.GetProperty("message").GetProperty("number").GetInt32();
        });
        numbers.ShouldBe(Enumerable.Range(0, 100));
    }
}

public sealed class SqlitePartitionKeyTests : PartitionKeySuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresPartitionKeyTests : PartitionKeySuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerPartitionKeyTests : PartitionKeySuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
