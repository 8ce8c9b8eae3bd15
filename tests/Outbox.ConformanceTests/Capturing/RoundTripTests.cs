using System.Data.Common;
using System.Diagnostics;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Outbox.ConformanceTests.Receiving;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Capturing;

/// <summary>On PostgreSQL a save of new rows and their messages is one round trip, and all or nothing all the same.</summary>
public class RoundTripTests
{
    private readonly Watched _watched = new();

    [SkippableFact]
    public async Task New_rows_and_their_messages_are_saved_by_one_command_and_no_commit()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);

        var sent = await Save(host, orders: [1, 2]);

        sent.ShouldHaveSingleItem().ShouldContain("INSERT");
        (await host.Orders()).ShouldBe(2);
        (await host.Rows()).ShouldHaveSingleItem();
    }

    [SkippableFact]
    public async Task A_row_that_the_database_refuses_takes_the_others_and_the_messages_with_it()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);
        await Save(host, orders: [1]);

        foreach (var orders in (int[][])[[2, 1], [1, 2]])
            await Should.ThrowAsync<DbUpdateException>(() => Save(host, orders));

        (await host.Orders()).ShouldBe(1);
        (await host.Rows()).ShouldHaveSingleItem();
    }

    // That no row was found is known here, when the database has long committed.
    [SkippableFact]
    public async Task A_save_that_also_changes_a_row_is_a_transaction_and_fails_as_a_whole()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);

        await Should.ThrowAsync<DbUpdateConcurrencyException>(() => Save(host, orders: [1], also: db => db.Update(new Order { Id = 4711, Number = 5 })));

        (await host.Orders()).ShouldBe(0);
        (await host.Rows()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_save_that_does_not_fit_into_one_command_is_a_transaction_and_fails_as_a_whole()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database, options => options.UseNpgsql(npgsql => npgsql.MaxBatchSize(2)));
        await Save(host, orders: [1]);

        await Should.ThrowAsync<DbUpdateException>(() => Save(host, orders: [2, 3, 4, 1]));

        (await host.Orders()).ShouldBe(1);
        (await host.Rows()).ShouldHaveSingleItem();
    }

    /// <summary>Such as one that drops what is there already: EF finds out, when it reads the answers.</summary>
    [SkippableFact]
    public async Task Where_a_trigger_may_leave_rows_out_a_save_is_a_transaction_and_fails_as_a_whole()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using (var before = await Start(database))
        {
            await before.Query(db => db.Database.ExecuteSqlRawAsync("""
                CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW."Number" = 2 THEN RETURN NULL; END IF; RETURN NEW; END';
                CREATE TRIGGER drop_it BEFORE INSERT ON "Orders" FOR EACH ROW EXECUTE FUNCTION drop_it();
                """));
        }

        await using var host = await Start(database);
        (await Save(host, orders: [1]))[0].ShouldBe(Watched.Begin);
        await Should.ThrowAsync<DbUpdateConcurrencyException>(() => Save(host, orders: [2]));

        (await host.Orders()).ShouldBe(1);
        (await host.Rows()).ShouldHaveSingleItem();
    }

    [SkippableFact]
    public async Task A_save_whose_answer_was_lost_is_not_taken_for_refused()
    {
        await using var database = await TestDatabase.PostgresAsync();
        var lost = new LostAnswer();
        await using var host = await Start(database, options => options.ReplaceService<IExecutionStrategyFactory, RetryOnce>().AddInterceptors(lost));

        lost.Next = true;
        await Should.ThrowAsync<DbUpdateException>(() => Save(host, orders: [1]));

        lost.Next.ShouldBeFalse();
        (await host.Orders()).ShouldBe(1);
        (await host.Rows()).ShouldHaveSingleItem();
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_does_not_matter_which_the_DbContext_is_told_first_its_outbox_or_its_database(bool outboxFirst)
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);
        var builder = new DbContextOptionsBuilder<ShopDb>();
        if (outboxFirst)
            builder.UseOutbox(host.Services);
        database.Configure(builder);
        builder.AddInterceptors(_watched);
        if (!outboxFirst)
            builder.UseOutbox(host.Services);
        await using var db = new ShopDb(builder.Options);
        await using var scope = host.Services.CreateAsyncScope();
        var before = _watched.Sent.Count;

        db.Add(new Order { Number = 1 });
        await scope.ServiceProvider.GetRequiredService<IOutboxFactory<ShopDb>>().For(db).Publish(new OrderPlaced(1));
        await db.SaveChangesAsync();

        _watched.Sent.Values.Skip(before).ShouldHaveSingleItem();
    }

    /// <summary>As the driver counts them.</summary>
    [SkippableFact]
    public async Task A_savepoint_around_a_save_is_released_by_the_commit()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);
        using var statements = new Statements(database);

        await host.InScope(async (db, _) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            db.Orders.Add(new Order { Number = 1 });
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        });

        var sent = statements.Sent.Values;
        sent.Count.ShouldBe(2, string.Join('\n', sent));
        (sent[0].StartsWith("SAVEPOINT", StringComparison.Ordinal), sent[1].StartsWith("INSERT", StringComparison.Ordinal)).ShouldBe((true, true));
    }

    // A savepoint that goes along with the save would end the connection here, and the next save would be a transaction by itself.
    [SkippableFact]
    public async Task A_transaction_that_has_failed_saves_nothing_more()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);

        await host.InScope(async (db, outbox) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await Should.ThrowAsync<DbException>(() => db.Database.ExecuteSqlRawAsync("SELECT 1 / 0"));
            for (var number = 1; number <= 4; number++)
            {
                db.ChangeTracker.Clear();
                db.Orders.Add(new Order { Number = number });
                await outbox.Publish(new OrderPlaced(number));
                await Should.ThrowAsync<Exception>(() => db.SaveChangesAsync());
            }
        });

        (await host.Orders()).ShouldBe(0);
        (await host.Rows()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task The_applications_own_savepoints_are_created_rolled_back_to_and_released()
    {
        await using var database = await TestDatabase.PostgresAsync();
        await using var host = await Start(database);

        await host.InScope(async (db, _) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await transaction.CreateSavepointAsync("Mine");
            await transaction.ReleaseSavepointAsync("Mine");
            await Should.ThrowAsync<DbException>(() => transaction.ReleaseSavepointAsync("Mine"));
        });
        await host.InScope(async (db, _) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            for (var number = 1; number <= 4; number++)
            {
                await transaction.CreateSavepointAsync("Mine");
                db.Orders.Add(new Order { Number = number });
                await db.SaveChangesAsync();
                if (number % 2 == 0)
                    await transaction.RollbackToSavepointAsync("Mine");
                await transaction.ReleaseSavepointAsync("Mine");
            }

            await transaction.RollbackAsync();
        });
        await host.InScope(async (db, _) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            for (var number = 1; number <= 4; number++)
            {
                transaction.CreateSavepoint("Mine");
                db.Orders.Add(new Order { Number = number });
                db.SaveChanges();
                if (number % 2 == 0)
                    transaction.RollbackToSavepoint("Mine");
                transaction.ReleaseSavepoint("Mine");
            }

            await transaction.CommitAsync();
        });

        (await host.Query(db => db.Orders.Select(o => o.Number).Order().ToListAsync())).ShouldBe([1, 3]);
    }

    private async Task<List<string>> Save(ShopHost host, int[] orders, Action<ShopDb>? also = null)
    {
        var before = _watched.Sent.Count;
        await host.InScope(async (db, outbox) =>
        {
            db.Orders.AddRange(orders.Select(number => new Order { Number = number }));
            also?.Invoke(db);
            await outbox.Publish(new OrderPlaced(orders[0]));
            await db.SaveChangesAsync();
        });
        return [.. _watched.Sent.Values.Skip(before)];
    }

    private async Task<ShopHost> Start(TestDatabase database, Action<DbContextOptionsBuilder>? configure = null)
    {
        var host = await ShopHost.StartAsync(database, o =>
        {
            o.DbContext = (services, d) => services.AddDbContext<ShopDb>(options =>
            {
                d.Configure(options);
                options.AddInterceptors(_watched);
                configure?.Invoke(options);
            });
            o.WithoutRelay();
        });
        await host.Services.GetRequiredService<OutboxRegistration<ShopDb>>().KeepsInserts.Task.WaitAsync(Eventually.Limit);
        return host;
    }

    private sealed class LostAnswer : DbCommandInterceptor
    {
        public bool Next { get; set; }

        public override ValueTask<DbDataReader> ReaderExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
        {
            if (!Next)
                return ValueTask.FromResult(result);
            Next = false;
            throw new TimeoutException("The connection was lost.");
        }
    }

    private sealed class Statements : IDisposable
    {
        private readonly ActivityListener _listener;

        public Statements(TestDatabase database)
        {
            using var connection = new Npgsql.NpgsqlConnection(database.ConnectionString);
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "Npgsql",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStopped = activity =>
                {
                    if ((activity.GetTagItem("db.namespace") ?? activity.GetTagItem("db.name")) as string == connection.Database
                        && (activity.GetTagItem("db.query.text") ?? activity.GetTagItem("db.statement")) is string text)
                        Sent.Add(text);
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public SignalLog<string> Sent { get; } = new();

        public void Dispose() => _listener.Dispose();
    }
}
