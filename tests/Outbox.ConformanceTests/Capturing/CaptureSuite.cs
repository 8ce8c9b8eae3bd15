using System.Diagnostics;
using System.Text;
using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Capturing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>A row and its message are saved together or not at all, whatever way the save went, with everything the sender said.</summary>
public abstract class CaptureSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    private async Task<ShopHost> Host(TestDatabase database, Action<ShopHostOptions>? configure = null)
        => await ShopHost.StartAsync(database, o =>
        {
            configure?.Invoke(o);
            o.WithoutRelay();
        });

    [SkippableFact]
    public async Task A_published_message_is_stored_by_the_next_save_and_not_before()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            db.Orders.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            (await host.Rows()).ShouldBeEmpty();
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.State.ShouldBe(OutboxMessageState.Pending);
        row.DueAt.ShouldBeNull();
        row.MessageType.ShouldStartWith("urn:message:Outbox.ConformanceTests:OrderPlaced");
        row.Size.ShouldBe(row.Body.Length);
        row.CreatedAt.Kind.ShouldBe(DateTimeKind.Utc);
        MessageMetadata.FromJson(row.Metadata).Published.ShouldBeTrue();
        MessageMetadata.FromJson(row.Metadata).Mandatory.ShouldBeTrue();
    }

    [SkippableFact]
    public async Task Everything_the_sender_says_survives()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        var ids = Enumerable.Range(0, 5).Select(_ => NewId.NextGuid()).ToArray();
        using var activity = new Activity("request").Start();

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1), context =>
            {
                (context.MessageId, context.CorrelationId, context.ConversationId, context.InitiatorId, context.RequestId) = (ids[0], ids[1], ids[2], ids[3], ids[4]);
                context.ResponseAddress = new Uri("loopback://localhost/answers");
                context.FaultAddress = new Uri("loopback://localhost/faults");
                context.SourceAddress = new Uri("loopback://localhost/here");
                context.TimeToLive = TimeSpan.FromMinutes(5);
                context.Headers.Set("tenant", "north");
                context.Headers.Set("number", 42);
                context.Headers.Set("urgent", true);
            });
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        row.MessageId.ShouldBe(ids[0]);
        row.CorrelationId.ShouldBe(ids[1]);
        row.ConversationId.ShouldBe(ids[2]);
        row.ContentType.ShouldBe("application/vnd.masstransit+json");
        (row.ExpiresAt - row.CreatedAt).ShouldBe(TimeSpan.FromMinutes(5));

        var metadata = MessageMetadata.FromJson(row.Metadata);
        metadata.InitiatorId.ShouldBe(ids[3]);
        metadata.RequestId.ShouldBe(ids[4]);
        metadata.ResponseAddress.ShouldBe(new Uri("loopback://localhost/answers"));
        metadata.FaultAddress.ShouldBe(new Uri("loopback://localhost/faults"));
        metadata.SourceAddress.ShouldBe(new Uri("loopback://localhost/here"));
        var headers = metadata.Headers.ShouldNotBeNull();
        MessageMetadata.Plain(headers["tenant"]).ShouldBe("north");
        MessageMetadata.Plain(headers["number"]).ShouldBe(42L);
        MessageMetadata.Plain(headers["urgent"]).ShouldBe(true);
        MessageMetadata.Plain(headers["MT-Activity-Id"]).ShouldBeOfType<string>().ShouldContain(activity.TraceId.ToString());

        using var envelope = JsonDocument.Parse(Encoding.UTF8.GetString(row.Body));
        envelope.RootElement.GetProperty("messageId").GetGuid().ShouldBe(ids[0]);
        envelope.RootElement.GetProperty("message").GetProperty("number").GetInt32().ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_sent_message_keeps_its_destination()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Send(new Uri("queue:packing"), new PackOrder(1));
            await db.SaveChangesAsync();
        });

        var row = (await host.Rows()).ShouldHaveSingleItem();
        new Uri(row.DestinationAddress).AbsolutePath.ShouldBe("/packing");
        MessageMetadata.FromJson(row.Metadata).Published.ShouldBeFalse();
    }

    [SkippableFact]
    public async Task Two_saves_in_one_scope_store_each_message_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            await outbox.Publish(new OrderPlaced(2));
            await db.SaveChangesAsync();
            db.ChangeTracker.Entries<OutboxMessage>().ShouldBeEmpty();
        });

        (await host.Rows()).Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_failed_save_stores_neither_and_a_second_try_stores_both_once()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        await host.InScope(async (db, _) =>
        {
            db.Orders.Add(new Order { Number = 1 });
            await db.SaveChangesAsync();
        });

        await host.InScope(async (db, outbox) =>
        {
            var order = new Order { Number = 1 };
            db.Orders.Add(order);
            await outbox.Publish(new OrderPlaced(1));
            await Should.ThrowAsync<DbUpdateException>(() => db.SaveChangesAsync());
            (await host.Rows()).ShouldBeEmpty();

            order.Number = 2;
            await db.SaveChangesAsync();
        });

        (await host.Rows()).Count.ShouldBe(1);
        (await host.Orders()).ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_rolled_back_transaction_takes_its_messages_with_it()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            db.Orders.Add(new Order { Number = 1 });
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            await transaction.RollbackAsync();
        });

        (await host.Rows()).ShouldBeEmpty();
        (await host.Orders()).ShouldBe(0);
    }

    [SkippableFact]
    public async Task An_address_that_is_too_long_is_refused_when_it_is_used()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);

        await host.InScope(async (db, outbox) =>
        {
            var error = await Should.ThrowAsync<MessageException>(() => outbox.Send(new Uri("queue:" + new string('q', 1100)), new PackOrder(1)));
            error.Message.ShouldContain("destination address");
            db.ChangeTracker.Entries<OutboxMessage>().ShouldBeEmpty();
        });
    }

    [SkippableFact]
    public async Task A_body_over_the_maximum_is_refused_and_changes_nothing()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database, o => o.Outbox = x => x.Options.MaxBodySize = 2000);

        await host.InScope(async (db, outbox) =>
        {
            var error = await Should.ThrowAsync<MessageException>(() => outbox.Publish(new OrderPlaced(1, new string('x', 2000))));
            error.Message.ShouldContain("2000 bytes");
            db.ChangeTracker.Entries<OutboxMessage>().ShouldBeEmpty();
        });
    }

    [SkippableFact]
    public async Task A_commit_wakes_the_relay_and_a_save_inside_a_transaction_does_not()
    {
        await using var database = await NewDatabase();
        await using var host = await Host(database);
        var wakeUp = host.Services.GetRequiredService<OutboxRegistration<ShopDb>>().WakeUp;

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await outbox.Publish(new OrderPlaced(1));
            await db.SaveChangesAsync();
            var woken = wakeUp.WaitAsync(CancellationToken.None);
            woken.IsCompleted.ShouldBeFalse();
            await transaction.CommitAsync();
            await woken;
        });
    }
}

public sealed class SqliteCaptureTests : CaptureSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresCaptureTests : CaptureSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerCaptureTests : CaptureSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
