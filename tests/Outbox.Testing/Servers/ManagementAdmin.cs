using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Serialization;

namespace Outbox.Testing;

/// <summary>
/// A broker that is not ours, through the HTTP API of its management plugin: <c>OUTBOX_RABBITMQ_MANAGEMENT</c>, by
/// default port 15672 of the same host.
/// </summary>
internal sealed class ManagementAdmin : IBrokerAdmin
{
    private static readonly HttpClient Http = new();

    private readonly string _credentials;
    private readonly Uri _api;

    public ManagementAdmin(Uri amqp)
    {
        _credentials = amqp.UserInfo.Length > 0 ? Uri.UnescapeDataString(amqp.UserInfo) : "guest:guest";
        var named = Environment.GetEnvironmentVariable("OUTBOX_RABBITMQ_MANAGEMENT");
        _api = new Uri(named is { Length: > 0 } ? named : $"http://{amqp.Host}:15672");
    }

    public async Task CreateVirtualHostAsync(string name)
    {
        var user = _credentials.Split(':')[0];
        using var created = await SendAsync(HttpMethod.Put, $"/api/vhosts/{name}", new object());
        using var permitted = await SendAsync(
            HttpMethod.Put, $"/api/permissions/{name}/{user}", new { configure = ".*", write = ".*", read = ".*" });
    }

    public async Task DeleteVirtualHostAsync(string name)
    {
        using var deleted = await SendAsync(HttpMethod.Delete, $"/api/vhosts/{name}");
    }

    public async Task<IReadOnlyList<QueueCount>> QueuesAsync(string virtualHost)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"/api/queues/{virtualHost}?disable_stats=true&enable_queue_totals=true");
        var queues = await answer.Content.ReadFromJsonAsync<Queue[]>() ?? [];
        return [.. queues.Select(queue => new QueueCount(queue.Name, queue.Ready, queue.Unacknowledged, queue.Consumers))];
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(_api, path));
        request.Content = body is null ? null : JsonContent.Create(body);
        request.Headers.Authorization =
            new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(_credentials)));
        var answer = await Http.SendAsync(request);
        return answer.EnsureSuccessStatusCode();
    }

    private sealed record Queue(
        string Name,
        [property: JsonPropertyName("messages_ready")] long Ready,
        [property: JsonPropertyName("messages_unacknowledged")] long Unacknowledged,
        int Consumers);
}
