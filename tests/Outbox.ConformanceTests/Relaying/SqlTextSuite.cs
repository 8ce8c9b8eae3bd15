using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>
/// The text of every statement of the relay and of the inbox is approved as a file, so that a change shows in review. On a difference the
/// text as it is now is written beside it as <c>*.received.sql</c>: rename it to approve it.
/// </summary>
public abstract class SqlTextSuite
{
    protected abstract Task<TestDatabase> NewDatabase();

    [SkippableFact]
    public async Task Every_statement_is_as_approved()
    {
        await using var database = await NewDatabase();
        await using var host = await ShopHost.StartAsync(database, o => (o.Start, o.CreateTables) = (false, false));
        var dialect = host.Services.GetRequiredService<OutboxStore<ShopDb>>().Dialect;

        var different = Statements(new MessageStatements(dialect)).Concat(Statements(new LeaseStatements(dialect))).Concat(Statements(new InboxStatements(dialect)))
            .Concat(Statements(new HalfStatements(dialect)))
            .Append((Name: "SqlDialect.Statistics", Sql: dialect.Statistics))
            .Concat(dialect.DropsInserts is { } question ? [(Name: "SqlDialect.DropsInserts", Sql: question)] : [])
            .Concat(dialect.RelaySession is { } session ? [(Name: "SqlDialect.RelaySession", Sql: session)] : [])
            .Where(s => !IsApproved(database.Name, s.Name, s.Sql)).Select(s => s.Name).ToList();

        different.ShouldBeEmpty();
    }

    private static IEnumerable<(string Name, string Sql)> Statements(object all)
        => from property in all.GetType().GetProperties()
           let sql = (string?)property.GetValue(all)
           where sql is not null
           select ($"{all.GetType().Name}.{property.Name}", sql);

    private static bool IsApproved(string database, string name, string sql)
    {
        var approved = Path.Combine(Folder(), database, $"{name}.sql");
        var received = Path.ChangeExtension(approved, ".received.sql");
        var text = sql.ReplaceLineEndings("\n") + "\n";
        if (File.Exists(approved) && File.ReadAllText(approved).ReplaceLineEndings("\n") == text)
        {
            File.Delete(received);
            return true;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(received)!);
        File.WriteAllText(received, text);
        return false;
    }

    private static string Folder([CallerFilePath] string thisFile = "") => Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "Approved");
}

public sealed class SqliteSqlTextTests : SqlTextSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresSqlTextTests : SqlTextSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerSqlTextTests : SqlTextSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.SqlServerNowhere());
}
