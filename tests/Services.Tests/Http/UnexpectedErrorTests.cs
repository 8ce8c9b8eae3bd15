using System.Net;
using System.Reflection;
using FluentValidation;
using FluentValidation.Results;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
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

    /// <summary>SQL Server's driver tells of it by an exception of its own, which EF wraps; that one is no news either.</summary>
    [Theory]
    [InlineData(true, 499, 0)]
    [InlineData(false, 500, 1)]
    public async Task A_command_that_was_given_up_since_its_client_has_left_is_no_defect(bool hasLeft, int status, int logged)
    {
        await using var database = TestDatabase.Sqlite();
        var logs = new Logs();
        await using var app = new ServiceApp<UsersDb>(database, services => services.AddSingleton<ILoggerProvider>(logs));
        app.Settings["Logging:LogLevel:Default"] = "Error";
        var context = new DefaultHttpContext { RequestServices = app.Services, RequestAborted = new CancellationToken(hasLeft) };

        var handled = await app.Services.GetServices<IExceptionHandler>().Single()
            .TryHandleAsync(context, new DbUpdateException("outer", GivenUp()), CancellationToken.None);

        handled.ShouldBeTrue();
        context.Response.StatusCode.ShouldBe(status);
        logs.Count.ShouldBe(logged);
    }

    // As the driver makes it of the server's word that it has stopped.
    private static SqlException GivenUp()
    {
        const BindingFlags hidden = BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;
        var errors = (SqlErrorCollection)Activator.CreateInstance(typeof(SqlErrorCollection), nonPublic: true)!;
        var make = typeof(SqlError).GetConstructors(hidden)[0];
        var error = make.Invoke([.. make.GetParameters().Select(p => p switch
        {
            { Name: "errorClass" } => (object?)(byte)11,
            { Name: "errorMessage" } => "Operation cancelled by user.",
            { ParameterType: var type } => type == typeof(string) ? "" : type.IsValueType ? Activator.CreateInstance(type) : null,
        })]);
        typeof(SqlErrorCollection).GetMethod("Add", hidden)!.Invoke(errors, [error]);
        return (SqlException)typeof(SqlException).GetMethod("CreateException", hidden, [typeof(SqlErrorCollection), typeof(string)])!.Invoke(null, [errors, ""])!;
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

    private sealed class Logs : ILoggerProvider, ILogger
    {
        public int Count { get; private set; }

        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Count++;

        public void Dispose()
        {
        }
    }
}
