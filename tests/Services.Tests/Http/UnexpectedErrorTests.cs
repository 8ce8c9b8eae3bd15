using System.Net;
using FluentValidation;
using FluentValidation.Results;
using Microsoft.Data.SqlClient;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Outbox.Testing;
using Users;

namespace Services.Tests;

public sealed class UnexpectedErrorTests
{
    [Fact]
    public async Task A_defect_is_answered_without_telling_what_it_is()
    {
        var problem = await Answer(new InvalidOperationException("a secret"), HttpStatusCode.InternalServerError, "internal-error");

        problem.ShouldNotContain("secret");
        problem.ShouldNotContain("InvalidOperation");
    }

    [Fact]
    public async Task A_database_that_is_away_for_a_moment_is_worth_another_try() =>
        await Answer(
            new InvalidOperationException("outer", new NpgsqlException("a secret", new TimeoutException())),
            HttpStatusCode.ServiceUnavailable,
            "unavailable");

    [Fact]
    public async Task A_SQL_Server_that_is_away_is_worth_another_try()
    {
        await using var connection = new SqlConnection($"Server=127.0.0.1,{FreePort.Next()};Connect Timeout=1;User Id=sa;Password=a-secret");
        var refused = await Should.ThrowAsync<SqlException>(() => connection.OpenAsync());

        await Answer(refused, HttpStatusCode.ServiceUnavailable, "unavailable");
    }

    private static async Task<string> Answer(Exception thrown, HttpStatusCode status, string type)
    {
        await using var database = TestDatabase.Sqlite();
        await using var app = new ServiceApp<UsersDb>(
            database, services => services.AddSingleton<IValidator<RegisterUser>>(new Throws(thrown)));
        using var client = app.CreateClient();

        return (await (await client.Register("ada", "ada@example.com")).ShouldBeProblem(status, type)).ToJsonString();
    }

    private sealed class Throws(Exception exception) : AbstractValidator<RegisterUser>
    {
        public override Task<ValidationResult> ValidateAsync(
            ValidationContext<RegisterUser> context, CancellationToken cancellation = default) => throw exception;
    }
}
