using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Logging;

namespace ServiceDefaults;

/// <summary>Turns what was thrown into a problem. What nobody expected is logged once and told to nobody.</summary>
internal sealed class ExceptionProblems(ILogger<ExceptionProblems> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
    {
        if (context.RequestAborted.IsCancellationRequested && exception.IsGivenUp())
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;   // as the framework does, where it is told of it
            return true;
        }

        var problem = Explain(exception);
        if (problem.StatusCode >= StatusCodes.Status500InternalServerError)
        {
            Log.RequestFailed(logger, context.Request.Method, context.Request.Path, exception);
        }

        await problem.ExecuteAsync(context);
        return true;
    }

    private static ProblemHttpResult Explain(Exception exception) => exception switch
    {
        InvalidInputException input => Problems.Validation(input.Errors),
        BadHttpRequestException { InnerException: JsonException json } => MalformedJson(json),
        BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } =>
            Problems.For(StatusCodes.Status400BadRequest, "A JSON object is required as the body."),
        BadHttpRequestException bad => Problems.For(bad.StatusCode),
        _ when exception.IsPassing() => Problems.For(StatusCodes.Status503ServiceUnavailable),
        _ => Problems.For(StatusCodes.Status500InternalServerError),
    };

    // A value of the wrong type belongs to a field; text that is no JSON (the reader's own exception within) to a place.
    private static ProblemHttpResult MalformedJson(JsonException json) =>
        json.Path is ['$', '.', .. var field] && json.InnerException is not JsonException
        ? Problems.Validation(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = ["is not a value that belongs here."] })
        : Problems.For(
            StatusCodes.Status400BadRequest,
            $"The body is not valid JSON: line {json.LineNumber + 1}, byte {json.BytePositionInLine + 1}.");
}

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Error, "{Method} {Path} failed")]
    public static partial void RequestFailed(ILogger logger, string method, string path, Exception exception);
}
