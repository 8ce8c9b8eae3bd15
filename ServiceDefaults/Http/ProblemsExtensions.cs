using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Net.Http.Headers;

namespace ServiceDefaults;

internal static class ProblemsExtensions
{
    public static void AddProblems(this IServiceCollection services)
    {
        services.AddSingleton<IProblemDetailsWriter, ProblemWriter>();   // before the framework's own, which may decline
        services.AddProblemDetails();
        services.AddExceptionHandler<ExceptionProblems>();
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
    }

    public static void UseProblems(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use(RefuseUnknownEncodings);
    }

    // For a charset that it does not know the framework throws InvalidOperationException, indistinguishable from a defect of ours; a content
    // coding it does not look at, and would take the compressed bytes for malformed JSON.
    private static Task RefuseUnknownEncodings(HttpContext context, RequestDelegate next)
    {
        if (IsKnownCharset(context.Request) && IsNotEncoded(context.Request))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
        return Task.CompletedTask;
    }

    private static bool IsKnownCharset(HttpRequest request) =>
        !MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.Charset.HasValue || type.Encoding is not null;

    private static bool IsNotEncoded(HttpRequest request) => request.Headers.ContentEncoding.All(coding =>
        string.IsNullOrWhiteSpace(coding) || string.Equals(coding.Trim(), "identity", StringComparison.OrdinalIgnoreCase));
}
