using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.SqlServer.TransactSql.ScriptDom;
using Outbox.Checking;
using Outbox.Databases;
using Outbox.Preparing;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>What can be known of SQL Server where there is none: that its parser takes every text, and what EF sends.</summary>
public sealed class SqlServerWithoutServerTests
{
    [Theory]
    [MemberData(nameof(Approved))]
    public void Every_approved_statement_is_Transact_SQL(string file) => Errors(File.ReadAllText(Path.Combine(Folder(), file))).ShouldBeEmpty();

    [Fact]
    public async Task The_tables_and_their_filtered_indexes_are_Transact_SQL()
    {
        await using var database = TestDatabase.SqlServerNowhere();
        await using var host = await ShopHost.StartAsync(database, o => (o.Start, o.CreateTables) = (false, false));

        var script = await host.Query(db => Task.FromResult(db.Database.GenerateCreateScript()));

        Errors(script).ShouldBeEmpty();
        script.ShouldContain("WHERE [State] = 0 AND [DueAt] IS NULL");
        script.ShouldContain("WHERE [Holds] = 1");
        script.ShouldContain("[CreatedAt] datetime2 NOT NULL");
        script.ShouldContain("[SequenceNumber] bigint NOT NULL IDENTITY");
    }

    /// <summary>Several rows in one statement (a MERGE, or many VALUES) get their numbers in no promised order.</summary>
    [Fact]
    public async Task The_rows_of_one_save_are_inserted_by_a_statement_each_in_their_order()
    {
        await using var database = TestDatabase.SqlServerNowhere();
        var seen = new SeenCommands();
        await using var host = await Host(database, seen);

        await host.InScope(async (db, outbox) =>
        {
            db.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never;
            for (var number = 1; number <= 7; number++)
                await outbox.Send(new Uri("queue:packing"), new PackOrder(number));
            await Should.ThrowAsync<DbUpdateException>(db.SaveChangesAsync());
        });

        var inserts = seen.Text.Split("INSERT INTO [OutboxMessage]").Skip(1).ToList();
        inserts.Count.ShouldBe(7);
        inserts.ShouldAllBe(i => i.Split("VALUES").Length == 2 && !i.Split("VALUES")[1].Contains("),"));
        seen.Text.ShouldNotContain("MERGE");
        seen.Bodies.Select(b => b.GetProperty("message").GetProperty("number").GetInt32()).ShouldBe(Enumerable.Range(1, 7));
    }

    /// <summary>A row that a business transaction has decided is locked until that ends; the other checks do not wait for it.</summary>
    [Fact]
    public async Task The_checks_that_are_due_are_read_past_what_others_hold()
    {
        await using var database = TestDatabase.SqlServerNowhere();
        var seen = new SeenCommands();
        await using var host = await Host(database, seen);
        using var rounds = new CheckRounds(
            host.Services.GetRequiredService<OutboxRegistration<ShopDb>>(), host.Services.GetRequiredService<OutboxStore<ShopDb>>(),
            host.Services.GetRequiredService<DecisionInterceptor>(), TimeProvider.System, NullLogger.Instance);

        await Should.ThrowAsync<InvalidOperationException>(rounds.RunOnce(default));

        seen.ShouldHaveReadPastLocks();
    }

    [Fact]
    public async Task The_decisions_that_are_forgotten_are_read_past_what_others_hold()
    {
        await using var database = TestDatabase.SqlServerNowhere();
        var seen = new SeenCommands();
        await using var host = await Host(database, seen);
        var cleanUp = new DecisionCleanUp(
            host.Services.GetRequiredService<OutboxRegistration<ShopDb>>(), host.Services.GetRequiredService<OutboxStore<ShopDb>>(),
            TimeProvider.System, NullLogger.Instance);

        await Should.ThrowAsync<InvalidOperationException>(cleanUp.RunOnce(default));

        seen.ShouldHaveReadPastLocks();
    }

    [Fact]
    public async Task The_statistics_are_read_past_what_others_hold()
    {
        await using var database = TestDatabase.SqlServerNowhere();
        var seen = new SeenCommands();
        await using var host = await Host(database, seen);

        await Should.ThrowAsync<InvalidOperationException>(host.Services.GetRequiredService<IOutboxStatistics<ShopDb>>().Get());

        seen.ShouldHaveReadPastLocks();
    }

    [Fact]
    public async Task A_server_that_is_away_counts_for_nothing()
    {
        await using var database = TestDatabase.SqlServerNowhere();
        await using var host = await ShopHost.StartAsync(database, o => (o.Start, o.CreateTables) = (false, false));
        var dialect = host.Services.GetRequiredService<OutboxStore<ShopDb>>().Dialect;
        await using var connection = new SqlConnection($"Server=127.0.0.1,{FreePort.Next()};Connect Timeout=1");

        var refused = await Should.ThrowAsync<SqlException>(connection.OpenAsync());

        dialect.IsAway(refused).ShouldBeTrue($"{refused.Number}, {refused.Class}: {refused.Message}");
    }

    /// <summary>What the server says when it is changing hands, or has no room for the work just now; and what it says of a statement itself.</summary>
    [Theory]
    [InlineData(952, 16, true)]
    [InlineData(1105, 17, true)]
    [InlineData(9002, 17, true)]
    [InlineData(40613, 16, true)]
    [InlineData(0, 20, true)]
    [InlineData(0, 11, false)]
    [InlineData(547, 16, false)]
    [InlineData(2627, 14, false)]
    [InlineData(8152, 16, false)]
    public async Task A_server_without_room_is_away_and_one_that_refuses_a_statement_is_not(int number, byte severity, bool away)
    {
        await using var database = TestDatabase.SqlServerNowhere();
        await using var host = await ShopHost.StartAsync(database, o => (o.Start, o.CreateTables) = (false, false));

        host.Services.GetRequiredService<OutboxStore<ShopDb>>().Dialect.IsAway(new Failure(number, severity)).ShouldBe(away);
    }

    public static TheoryData<string> Approved() => [.. Directory.GetFiles(Folder(), "*.sql").Select(f => Path.GetFileName(f)!)];

    private static Task<ShopHost> Host(TestDatabase database, SeenCommands seen) => ShopHost.StartAsync(database, o =>
    {
        (o.Start, o.CreateTables) = (false, false);
        o.DbContext = (services, _) => services.AddDbContext<ShopDb>(options =>
        {
            database.Configure(options);
            options.AddInterceptors(seen, new NoConnection());
        });
    });

    private static IEnumerable<string> Errors(string sql)
    {
        new TSql160Parser(initialQuotedIdentifiers: true).Parse(new StringReader(sql), out var errors);
        return errors.Select(e => $"line {e.Line}: {e.Message}");
    }

    private static string Folder([CallerFilePath] string thisFile = "") => Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "Approved", "SqlServer");

    /// <summary>As the driver tells it.</summary>
    private sealed class Failure(int number, byte severity) : DbException
    {
        public int Number => number;

        public byte Class => severity;
    }

    private sealed class NoConnection : DbConnectionInterceptor
    {
        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(InterceptionResult.Suppress());
    }

    private sealed class SeenCommands : DbCommandInterceptor
    {
        public string Text { get; private set; } = "";

        public List<System.Text.Json.JsonElement> Bodies { get; } = [];

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            Text += command.CommandText;
            Bodies.AddRange(command.Parameters.Cast<DbParameter>().Select(p => p.Value).OfType<byte[]>().Select(b => System.Text.Json.JsonDocument.Parse(b).RootElement));
            throw new InvalidOperationException("Seen; there is no server to run it.");
        }

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            Text += command.CommandText + ";\n";
            return ValueTask.FromResult(InterceptionResult<int>.SuppressWithResult(-1));
        }

        // The level first: a pooled connection may carry another, under which the server refuses READPAST.
        public void ShouldHaveReadPastLocks()
        {
            Text.ShouldStartWith("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;");
            Text.ShouldContain("FROM [OutboxMessage] WITH (READCOMMITTEDLOCK, READPAST)");
            Errors(Text).ShouldBeEmpty();
        }
    }
}
