using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Notifications;
using Outbox.Testing;

namespace Services.Tests;

/// <summary>What was stored before there were webhooks is read after the upgrade as it was before it.</summary>
public abstract class UpgradeTests(Func<Task<TestDatabase>> create, Func<string, NotificationsDb> open) : IAsyncLifetime
{
    private static readonly string Id = "59790000-4e2c-961a-40cd-08df4882772c".ToUpperInvariant();   // SQLite compares it as text

    private TestDatabase? database;

    [SkippableFact]
    public async Task Old_notifications_keep_what_they_told()
    {
        await using (var db = open(database!.ConnectionString))
        {
            await db.GetService<IMigrator>().MigrateAsync("Initial");
            var utc = database.Name == "Postgres" ? "+00" : "";
            await db.Database.OpenConnectionAsync();
            await using var insert = db.Database.GetDbConnection().CreateCommand();
            insert.CommandText = $$"""
                INSERT INTO "Receiver" ("Id", "Name", "ApiKeyHash") VALUES ('{{Id}}', 'default', 'x');
                INSERT INTO "BusinessEvent" ("Id", "Type", "BusinessKey", "Data", "OccurredAt")
                VALUES ('{{Id}}', 'points.credited', 'welcome:1', '{"amount":100,"reason":"wélcome"}', '2026-01-02 03:04:05.678{{utc}}');
                INSERT INTO "Notification" ("Id", "ReceiverId", "EventId", "CreatedAt") VALUES ('{{Id}}', '{{Id}}', '{{Id}}', '2026-01-02 03:04:06{{utc}}');
                """;
            await insert.ExecuteNonQueryAsync();
        }

        await using var app = new ServiceApp<NotificationsDb>(database!);
        using var client = app.CreateClient().As(Keys.Receiver);
        await app.Numbered();

        var item = (await client.GetJson("/v1/notifications"))["items"]!.AsArray().ShouldHaveSingleItem()!;
        (item["data"]!["amount"]!.GetValue<int>(), item["data"]!["reason"]!.GetValue<string>()).ShouldBe((100, "wélcome"));
        item["occurredAt"]!.GetValue<string>().ShouldBe("2026-01-02T03:04:05.678Z");
        var stored = await app.InDb(db => db.Events.SingleAsync());
        stored.CreatedAt.ShouldBe(stored.OccurredAt);
        JsonNode.Parse(stored.Body!)!["timestamp"]!.GetValue<string>().ShouldBe("2026-01-02T03:04:05.678Z");
    }

    public async Task InitializeAsync() => database = await create();

    public async Task DisposeAsync() => await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
}

public sealed class UpgradeOnSqliteTests() : UpgradeTests(
    () => Task.FromResult(TestDatabase.Sqlite()),
    connection => new NotificationsSqlite(new DbContextOptionsBuilder<NotificationsSqlite>().UseSqlite(connection).Options));

public sealed class UpgradeOnPostgresTests() : UpgradeTests(
    TestDatabase.PostgresAsync,
    connection => new NotificationsPostgres(new DbContextOptionsBuilder<NotificationsPostgres>().UseNpgsql(connection).Options));
