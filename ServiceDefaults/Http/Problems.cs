using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ServiceDefaults;

/// <summary>
/// Every error that the services answer with, as RFC 9457 problem details. A client may rely on <c>type</c>;
/// titles and details are for people.
/// </summary>
public static class Problems
{
    private const string Prefix = "urn:outbox:problem:";

    /// <summary>400: fields are wrong. <c>errors</c> lists what is wrong with each, by its JSON or query name.</summary>
    public static ProblemHttpResult Validation(IDictionary<string, string[]> errors) =>
        TypedResults.Problem(new ProblemDetails
        {
            Status = StatusCodes.Status400BadRequest,
            Type = Prefix + "validation",
            Title = "The request is not valid.",
            Extensions = { ["errors"] = errors },
        });

    /// <summary>404: there is no such thing.</summary>
    public static ProblemHttpResult NotFound(string detail) => For(StatusCodes.Status404NotFound, detail);

    /// <summary>An error of one endpoint's own.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="type">The stable name, in kebab case, without prefix.</param>
    /// <param name="title">What went wrong, for people.</param>
    public static ProblemHttpResult Of(int status, string type, string title) =>
        TypedResults.Problem(new ProblemDetails { Status = status, Type = Prefix + type, Title = title });

    /// <summary>The problem that stands for an HTTP status alone.</summary>
    public static ProblemHttpResult For(int status, string? detail = null)
    {
        var problem = new ProblemDetails { Status = status, Detail = detail };
        Name(problem, status);
        return TypedResults.Problem(problem);
    }

    /// <summary>Gives a problem that came from the framework the type and title of its status.</summary>
    internal static void Name(ProblemDetails problem, int status)
    {
        if (problem.Type?.StartsWith(Prefix, StringComparison.Ordinal) == true)
        {
            return;
        }

        var (type, title) = status switch
        {
            400 => ("malformed-request", "The request could not be read."),
            401 => ("unauthorized", "A valid key is required: Authorization: Bearer <key>."),
            403 => ("forbidden", "This key does not allow that."),
            404 => ("not-found", "There is nothing here."),
            405 => ("method-not-allowed", "This address does not answer to that method."),
            413 => ("body-too-large", $"The body is larger than {HttpLimits.MaxRequestBody} bytes."),
            415 => ("unsupported-media-type", "The body must be application/json, and not compressed."),
            503 => ("unavailable", "The service cannot do this right now. Try again."),
            >= 500 => ("internal-error", "Something went wrong here. It has been logged under this trace id."),
            _ => ("refused", "The request was refused."),
        };
        problem.Status = status;
        problem.Type = Prefix + type;
        problem.Title = title;
    }
}
