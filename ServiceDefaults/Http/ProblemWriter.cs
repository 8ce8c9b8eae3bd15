using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace ServiceDefaults;

/// <summary>Writes every problem the same way, whatever the request accepts, with the trace id to look it up by.</summary>
internal sealed class ProblemWriter : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var http = context.HttpContext;
        Problems.Name(context.ProblemDetails, http.Response.StatusCode);
        context.ProblemDetails.Extensions["traceId"] = Activity.Current?.TraceId.ToHexString() ?? http.TraceIdentifier;
        await http.Response.WriteAsJsonAsync(
            context.ProblemDetails, options: null, "application/problem+json", http.RequestAborted);
    }
}
