using System.Net;
using System.Text.Json.Nodes;
using MassTransit;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notifications;

namespace Services.Tests;

/// <summary>What belongs to another receiver does not exist, whatever is asked of it.</summary>
public sealed class AnothersTests : ServiceTests<NotificationsDb>
{
    private const string Recovery = """{"since":"2026-01-01T00:00:00Z","scope":"failed"}""";

    /// <summary>Every route that names something of a receiver's, with a body that would be taken.</summary>
    public static TheoryData<string, string, string?> Routes => new()
    {
        { "GET", "/v1/notifications/{notification}", null },
        { "GET", "/v1/notifications/by-key/points.credited/key", null },
        { "GET", "/v1/notifications/{notification}/attempts", null },
        { "POST", "/v1/notifications/{notification}/ack", null },
        { "POST", "/v1/notifications/{notification}/resend", null },
        { "GET", "/v1/endpoints/{endpoint}", null },
        { "PATCH", "/v1/endpoints/{endpoint}", """{"description":"mine"}""" },
        { "DELETE", "/v1/endpoints/{endpoint}", null },
        { "POST", "/v1/endpoints/{endpoint}/pause", null },
        { "POST", "/v1/endpoints/{endpoint}/resume", null },
        { "POST", "/v1/endpoints/{endpoint}/rotate-secret", "{}" },
        { "POST", "/v1/endpoints/{endpoint}/test", null },
        { "POST", "/v1/endpoints/{endpoint}/recover", Recovery },
        { "GET", "/v1/jobs/{job}", null },
    };

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task It_is_nowhere(string method, string route, string? body)
    {
        var path = await PathOf(route);
        var before = await Stored();
        Client.As(await Client.CreateReceiver("other"));

        await (await Client.SendJson(new HttpMethod(method), path, body)).ShouldBeProblem(HttpStatusCode.NotFound, "not-found");

        (await Stored()).ShouldBe(before);
        Client.As(Keys.Receiver);
        (await Client.SendJson(new HttpMethod(method), path, body)).IsSuccessStatusCode.ShouldBeTrue("its owner may");
    }

    [Fact]
    public async Task It_is_in_no_list()
    {
        var id = await App.StoreNotification("key", "points.credited", [DeliveryState.Exhausted]);
        await App.Numbered();
        Client.As(await Client.CreateReceiver("other"));

        (await Client.GetJson("/v1/notifications"))["items"]!.AsArray().ShouldBeEmpty();
        (await Client.GetJson("/v1/notifications?status=exhausted"))["items"]!.AsArray().ShouldBeEmpty();
        (await Client.GetJson("/v1/endpoints"))["items"]!.AsArray().ShouldBeEmpty();
        var acknowledged = await Client.PostJson("/v1/notifications/ack", $$"""{"ids":["{{id}}"]}""", HttpStatusCode.OK);
        (acknowledged["acknowledged"]!.AsArray().Count, acknowledged["notFound"]!.AsArray().Count).ShouldBe((0, 1));
        (await App.InDb(db => db.Notifications.SingleAsync())).AcknowledgedAt.ShouldBeNull();
    }

    /// <summary>A route that is added is asked here, too.</summary>
    [Fact]
    public void Every_route_is_asked()
    {
        var mapped = App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.Parameters.Count > 0 && e.Metadata.GetOrderedMetadata<IAuthorizeData>().Any(a => a.Policy == "Receiver"))
            .SelectMany(e => e.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Select(method => $"{method} {e.RoutePattern.RawText}"));

        Routes.Select(row => $"{row[0]} {row[1]}").Select(Template).ShouldBe(mapped, ignoreOrder: true);
    }

    private static string Template(string route) => route
        .Replace("{notification}", "{id:guid}", StringComparison.Ordinal)
        .Replace("{endpoint}", "{id:guid}", StringComparison.Ordinal)
        .Replace("{job}", "{id:guid}", StringComparison.Ordinal)
        .Replace("points.credited/key", "{type}/{**businessKey}", StringComparison.Ordinal);

    /// <summary>The route with the ids of what the receiver <c>default</c> has.</summary>
    private async Task<string> PathOf(string route)
    {
        Client.As(Keys.Receiver);
        var notification = await App.StoreNotification("key", "points.credited", [DeliveryState.Exhausted]);
        var endpoint = await Client.CreateEndpoint();
        var job = NewId.NextGuid();
        await App.InDb(async db =>
        {
            var receiverId = await db.Receivers.Where(r => r.Name == "default").Select(r => r.Id).SingleAsync();
            db.Jobs.Add(new Job { Id = job, EndpointId = Guid.Parse(endpoint), ReceiverId = receiverId, State = JobState.Done });
            return await db.SaveChangesAsync();
        });
        return route
            .Replace("{notification}", notification.ToString(), StringComparison.Ordinal)
            .Replace("{endpoint}", endpoint, StringComparison.Ordinal)
            .Replace("{job}", job.ToString(), StringComparison.Ordinal);
    }

    /// <summary>What could have been changed.</summary>
    private async Task<string> Stored() => await App.InDb(async db =>
    {
        var endpoints = await db.Endpoints.AsNoTracking().OrderBy(e => e.Id).Select(e => new { e.Id, e.Version, e.State, e.Description }).ToListAsync();
        var deliveries = await db.Deliveries.AsNoTracking().Select(d => new { d.State, d.Attempt }).ToListAsync();
        var acknowledged = await db.Notifications.AsNoTracking().Select(n => n.AcknowledgedAt).ToListAsync();
        var jobs = await db.Jobs.CountAsync();
        return JsonValue.Create($"{string.Join(' ', endpoints)} {string.Join(' ', deliveries)} {string.Join(' ', acknowledged)} {jobs}").ToString();
    });
}
