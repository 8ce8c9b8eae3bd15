using Microsoft.EntityFrameworkCore;
using Outbox.Testing;

namespace Outbox.UnitTests.Testing;

public class SqliteFileTests
{
    [Fact]
    public async Task Each_database_is_fresh_and_leaves_no_file()
    {
        await using var one = TestDatabase.Sqlite();
        await using var other = TestDatabase.Sqlite();

        await ExecuteAsync(one, "CREATE TABLE t (i int)");
        await ExecuteAsync(other, "CREATE TABLE t (i int)");

        one.Name.ShouldBe("Sqlite");
        (one.ConnectionString == other.ConnectionString).ShouldBeFalse();
    }

    [Fact]
    public void Disposing_deletes_the_folder()
    {
        var file = new SqliteFile();
        File.WriteAllText(Path.Combine(file.Folder, "test.db.lock"), "");

        file.Dispose();

        Directory.Exists(file.Folder).ShouldBeFalse();
    }

    private static async Task ExecuteAsync(TestDatabase database, string sql)
    {
        var options = new DbContextOptionsBuilder();
        database.Configure(options);
        await using var db = new DbContext(options.Options);
        await db.Database.ExecuteSqlRawAsync(sql);
    }
}
