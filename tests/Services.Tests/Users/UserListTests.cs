using System.Net;
using ServiceDefaults;
using Users;

namespace Services.Tests;

public sealed class UserListTests : ServiceTests<UsersDb>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(100)]
    public async Task Is_read_page_by_page_each_user_once(int limit)
    {
        for (var i = 0; i < 5; i++)
        {
            await Client.Register($"user{i}", $"{i}@example.com");
        }

        var names = await Client.ReadAll("/users", limit, "userName");

        names.Order(StringComparer.Ordinal).ShouldBe(["user0", "user1", "user2", "user3", "user4"]);
    }

    [Fact]
    public async Task Of_nobody_is_empty()
    {
        var page = await Client.GetJson("/users");

        page.ToJsonString().ShouldBe("""{"items":[],"next":null}""");
    }

    [Theory]
    [InlineData("after", "nonsense")]
    [InlineData("after", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("after", "%F0%9F%90%8E")]
    [InlineData("limit", "0")]
    [InlineData("limit", "-1")]
    [InlineData("limit", "101")]
    [InlineData("limit", "ten")]
    [InlineData("limit", "99999999999")]
    public async Task Refuses_what_it_did_not_give_out(string field, string value)
    {
        var problem = await (await Client.GetAsync($"/users?{field}={value}"))
            .ShouldBeProblem(HttpStatusCode.BadRequest, "validation");

        problem.Fields().ShouldBe([field]);
    }

    [Fact]
    public async Task Refuses_a_cursor_that_was_changed()
    {
        await Client.Register("ada", "ada@example.com");
        await Client.Register("bob", "bob@example.com");
        var cursor = (await Client.GetJson("/users?limit=1"))["next"]!.GetValue<string>();
        var changed = (cursor[0] == 'A' ? 'B' : 'A') + cursor[1..];

        (await Client.GetAsync($"/users?after={cursor}")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await (await Client.GetAsync($"/users?after={changed}")).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public async Task Refuses_a_cursor_to_no_time(long position)
    {
        var madeUp = new Cursor(position, Guid.Empty).Write("users");

        await (await Client.GetAsync($"/users?after={madeUp}")).ShouldBeProblem(HttpStatusCode.BadRequest, "validation");
    }
}
