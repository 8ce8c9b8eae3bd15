using System.Net;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Testing;
using Points;

namespace Services.Tests;

public abstract class LedgerTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private readonly Guid userId = NewId.NextGuid();
    private TestDatabase? database;
    private ServiceApp<PointsDb>? app;

    private ServiceApp<PointsDb> App => app!;

    [SkippableFact]
    public async Task Different_credits_to_one_account_at_once_all_count()
    {
        await Credit("first");

        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Credit($"key{i}")));

        var account = await App.InDb(db => db.Accounts.SingleAsync());
        (account.Balance, account.Entries).ShouldBe((210, 21));
        var entries = await App.InDb(db => db.Entries.OrderBy(e => e.Number).ToListAsync());
        entries.Select(e => e.Number).ShouldBe(Enumerable.Range(1, 21).Select(n => (long)n));
        entries.Select(e => e.Balance).ShouldBe(Enumerable.Range(1, 21).Select(n => n * 10L));
    }

    [SkippableFact]
    public async Task The_same_fact_told_at_once_counts_once()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                return await Credit("fact") is not null ? "credited" : "known";
            }
            catch (DbUpdateException)
            {
                return "collided";   // is rolled back, and found to be known when the message is tried again
            }
        }));

        outcomes.Count(outcome => outcome == "credited").ShouldBe(1);
        (await Credit("fact")).ShouldBeNull();
        (await App.InDb(db => db.Accounts.SingleAsync())).Balance.ShouldBe(10);
    }

    [SkippableFact]
    public async Task Entries_are_read_page_by_page_in_their_order()
    {
        for (var i = 0; i < 5; i++)
        {
            await Credit($"key{i}");
        }

        using var client = App.CreateClient();
        var keys = await client.ReadAll($"/accounts/{userId}/entries", 2, "businessKey");

        keys.ShouldBe(["key0", "key1", "key2", "key3", "key4"]);
    }

    [SkippableFact]
    public async Task A_cursor_serves_the_account_that_it_came_from()
    {
        await Credit("key0");
        await Credit("key1");
        using var client = App.CreateClient();
        var cursor = (await client.GetJson($"/accounts/{userId}/entries?limit=1"))["next"]!.GetValue<string>();

        var other = await client.GetAsync($"/accounts/{NewId.NextGuid()}/entries?after={cursor}");

        (await other.ShouldBeProblem(HttpStatusCode.BadRequest, "validation")).Fields().ShouldBe(["after"]);
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<PointsDb>(database);
        using var started = app.CreateClient();
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private async Task<LedgerEntry?> Credit(string businessKey)
    {
        await using var scope = App.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<PointsDb>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        var entry = await scope.ServiceProvider.GetRequiredService<Ledger>()
            .Add(new Credit(userId, 10, "test", businessKey), CancellationToken.None);
        await db.SaveChangesAsync();
        await transaction.CommitAsync();
        return entry;
    }
}

public sealed class LedgerOnSqliteTests() : LedgerTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class LedgerOnPostgresTests() : LedgerTests(TestDatabase.PostgresAsync);
