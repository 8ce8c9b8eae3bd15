using System.Net;
using System.Text.Json.Nodes;
using Contracts;
using Microsoft.EntityFrameworkCore;
using Outbox;
using Users;

namespace Services.Tests;

public sealed class RegisterUserTests : ServiceTests<UsersDb>
{
    [Fact]
    public async Task Answers_with_the_user_and_where_to_find_it()
    {
        var response = await Client.Register("ada", "Ada@Example.com");

        response.StatusCode.ShouldBe(HttpStatusCode.Created);
        var user = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        user.AsObject().Select(field => field.Key).ShouldBe(["id", "userName", "email", "registeredAt"]);
        user["userName"]!.GetValue<string>().ShouldBe("ada");
        user["email"]!.GetValue<string>().ShouldBe("Ada@Example.com");
        response.Headers.Location!.ToString().ShouldBe($"/users/{user["id"]}");
        (await Client.GetJson($"/users/{user["id"]}")).ToJsonString().ShouldBe(user.ToJsonString());
    }

    [Fact]
    public async Task Tells_of_the_user_by_one_message_that_is_keyed_by_it()
    {
        var response = await Client.Register("ada", "ada@example.com");

        var id = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.ToString();
        var message = (await Messages()).ShouldHaveSingleItem();
        message.MessageType.ShouldContain(nameof(UserRegistered));
        message.PartitionKey.ShouldBe(id);
    }

    [Fact]
    public async Task Takes_an_address_once_whatever_its_case()
    {
        await Client.Register("ada", "ada@example.com");

        var response = await Client.Register("other", "ADA@EXAMPLE.COM");

        await response.ShouldBeProblem(HttpStatusCode.Conflict, "duplicate-email");
        (await Users()).ShouldBe(1);
        (await Messages()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Gives_an_address_to_one_of_many_who_ask_at_once()
    {
        var responses = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Client.Register($"user{i}", "ada@example.com")));

        responses.Count(r => r.StatusCode == HttpStatusCode.Created).ShouldBe(1);
        responses.Count(r => r.StatusCode == HttpStatusCode.Conflict).ShouldBe(7);
        (await Users()).ShouldBe(1);
        (await Messages()).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("abc", "a@b")]
    [InlineData("12345678901234567890123456789012", "a@b")]
    [InlineData("žluťoučký 馬", "ж@пример.рф")]
    public async Task Takes_what_is_just_within_the_limits(string userName, string email) =>
        (await Client.Register(userName, email)).StatusCode.ShouldBe(HttpStatusCode.Created);

    [Fact]
    public async Task Takes_an_address_of_254_characters() =>
        (await Client.Register("ada", "a@" + new string('b', 252))).StatusCode.ShouldBe(HttpStatusCode.Created);

    [Fact]
    public async Task Does_not_know_other_users() =>
        await (await Client.GetAsync("/users/00000000-0000-0000-0000-000000000001"))
            .ShouldBeProblem(HttpStatusCode.NotFound, "not-found");

    private Task<int> Users() => App.InDb(db => db.Users.CountAsync());

    private Task<List<OutboxMessage>> Messages() => App.InDb(db => db.Set<OutboxMessage>().ToListAsync());
}
