using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ServiceDefaults;

/// <summary>
/// <c>/health/live</c> says that the process answers; <c>/health/ready</c> that it can work. A degraded part, such as
/// the broker being away, still answers 200: requests are served meanwhile. <c>/health/started</c> says 200 only from when all
/// parts have been there once, queues included, and then the same: what is sent before a queue is there does not reach it.
/// </summary>
internal static class Health
{
    public const string Ready = "ready";

    public static void MapHealth(this WebApplication app)
    {
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false, ResponseWriter = Write });
        app.MapHealthChecks("/health/ready", new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(Ready),
            ResponseWriter = Write,
        });

        var started = false;
        app.MapHealthChecks("/health/started", new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(Ready),
            ResponseWriter = (context, report) =>
            {
                started |= report.Status == HealthStatus.Healthy;
                if (!started)
                {
                    context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                }

                return Write(context, report);
            },
        });
    }

    // Names and states only: descriptions and exceptions can hold addresses and belong in the log.
    private static Task Write(HttpContext context, HealthReport report) =>
        context.Response.WriteAsJsonAsync(
            new
            {
                status = report.Status.ToString(),
                checks = report.Entries.ToDictionary(e => e.Key, e => e.Value.Status.ToString(), StringComparer.Ordinal),
            },
            context.RequestAborted);
}
