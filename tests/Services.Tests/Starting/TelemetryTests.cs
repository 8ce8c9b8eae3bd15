using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Outbox.Testing;

namespace Services.Tests;

[Collection(ProcessTests.Name)]
public sealed class TelemetryTests
{
    [Fact]
    public async Task Traces_metrics_and_logs_go_where_the_environment_says()
    {
        using var folder = new SqliteFile();
        var posted = new SignalLog<string>();
        var (collector, endpoint) = await StartCollector(posted);
        await using var stopping = collector;
        var address = $"http://localhost:{FreePort.Next()}";
        await using var service = ServiceProcess.Start(
            ServiceProcess.AssemblyOf("Users.Api"),
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Database__Provider"] = "Sqlite",
                ["ConnectionStrings__Users"] = folder.ConnectionString,
                ["ASPNETCORE_URLS"] = address,
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
                ["OTEL_METRIC_EXPORT_INTERVAL"] = "100",
            });
        await service.WaitForHealthAsync(new Uri(address + "/health/live"));

        await posted.WaitFor(path => path == "/v1/traces");
        await posted.WaitFor(path => path == "/v1/metrics");
        await posted.WaitFor(path => path == "/v1/logs");
    }

    private static async Task<(WebApplication Collector, string Endpoint)> StartCollector(SignalLog<string> posted)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var collector = builder.Build();
        collector.Run(context =>
        {
            posted.Add(context.Request.Path);
            context.Response.StatusCode = (int)HttpStatusCode.OK;
            return Task.CompletedTask;
        });
        await collector.StartAsync();
        return (collector, collector.Urls.Single());
    }
}
