using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox;
using Outbox.Testing;
using Users;

namespace Services.Tests;

public abstract class IdempotencyTests(Func<Task<TestDatabase>> create) : IAsyncLifetime
{
    private TestDatabase? database;
    private ServiceApp<UsersDb>? app;

    protected ServiceApp<UsersDb> App => app!;

    [SkippableFact]
    public async Task The_same_request_is_answered_the_same_again()
    {
        using var client = App.CreateClient();
        var first = await client.Register("ada", "ada@example.com", "key");
        var again = await client.Register("ada", "ada@example.com", "key");

        first.StatusCode.ShouldBe(HttpStatusCode.Created);
        again.StatusCode.ShouldBe(HttpStatusCode.Created);
        again.Headers.Location.ShouldBe(first.Headers.Location);
        again.Content.Headers.ContentType.ShouldBe(first.Content.Headers.ContentType);
        (await again.Content.ReadAsStringAsync()).ShouldBe(await first.Content.ReadAsStringAsync());
        await OneUserOneMessage();
    }

    [SkippableFact]
    public async Task The_same_key_with_another_body_is_refused()
    {
        using var client = App.CreateClient();
        await client.Register("ada", "ada@example.com", "key");

        var other = await client.Register("bob", "bob@example.com", "key");
        var sameAddress = await client.Register("bob", "ada@example.com", "key");

        await other.ShouldBeProblem(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        await sameAddress.ShouldBeProblem(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        await OneUserOneMessage();
    }

    [SkippableFact]
    public async Task Concurrent_twins_all_get_the_one_answer()
    {
        using var client = App.CreateClient();
        var responses = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => client.Register("ada", "ada@example.com", "key")));

        responses.ShouldAllBe(response => response.StatusCode == HttpStatusCode.Created);
        responses.Select(response => response.Headers.Location).Distinct().Count().ShouldBe(1);
        await OneUserOneMessage();
    }

    [SkippableFact]
    public async Task A_refused_request_leaves_its_key_free()
    {
        using var client = App.CreateClient();
        await client.Register("ada", "not an address", "key");

        (await client.Register("ada", "ada@example.com", "key")).StatusCode.ShouldBe(HttpStatusCode.Created);
    }

    [SkippableFact]
    public async Task Answers_are_kept_for_a_day_and_deleted_in_batches()
    {
        using var client = App.CreateClient();
        await client.Register("ada", "ada@example.com", "key");
        var now = TimeProvider.System.GetUtcNow();
        await App.InDb(async db =>
        {
            db.StoredAnswers.AddRange(Enumerable.Range(0, 1203).Select(i => new StoredAnswer
            {
                Key = $"old{i}",
                RequestHash = "",
                Location = "",
                Body = "",
                ExpiresAt = now.UtcDateTime.AddMinutes(-1),
            }));
            return await db.SaveChangesAsync();
        });

        (await Delete(now)).ShouldBe(1203);
        (await Delete(now.AddHours(23))).ShouldBe(0);
        (await Delete(now.AddHours(24).AddMinutes(1))).ShouldBe(1);
    }

    public async Task InitializeAsync()
    {
        database = await create();
        app = new ServiceApp<UsersDb>(database);
    }

    public async Task DisposeAsync()
    {
        await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private Task<int> Delete(DateTimeOffset now) =>
        App.InDb(db => new ExpiredAnswers(db, new StoppedClock(now)).Delete(CancellationToken.None));

    protected async Task OneUserOneMessage()
    {
        (await App.InDb(db => db.Users.CountAsync())).ShouldBe(1);
        (await App.InDb(db => db.Set<OutboxMessage>().CountAsync())).ShouldBe(1);
    }
}

public sealed class IdempotencyOnSqliteTests() : IdempotencyTests(() => Task.FromResult(TestDatabase.Sqlite()));

public sealed class IdempotencyOnPostgresTests() : IdempotencyTests(TestDatabase.PostgresAsync)
{
    [SkippableFact]
    public async Task A_twin_waits_for_the_one_that_is_under_way_and_takes_its_place_when_it_comes_to_nothing()
    {
        using var client = App.CreateClient();
        await using var scope = App.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UsersDb>();
        Task<HttpResponseMessage> twin;
        await using (await db.Database.BeginTransactionAsync())
        {
            // The first one, which has stored its key and not committed yet.
            db.StoredAnswers.Add(new StoredAnswer { Key = "key", RequestHash = "", Location = "", Body = "" });
            await db.SaveChangesAsync();

            twin = client.Register("ada", "ada@example.com", "key");
            await Eventually.Is(() => App.InDb(watching => watching.Database
                .SqlQuery<bool>($"""
                    SELECT count(*) > 0 AS "Value" FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                    WHERE NOT l.granted AND a.datname = current_database()
                    """)
                .SingleAsync()));
        }

        (await twin).StatusCode.ShouldBe(HttpStatusCode.Created);
        await OneUserOneMessage();
    }
}
