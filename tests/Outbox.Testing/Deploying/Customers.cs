using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Outbox.Testing;

/// <summary>
/// Users who top up. Who gets no answer asks again, with the same <c>Idempotency-Key</c>, at the next replica, until
/// there is one.
/// </summary>
public sealed class Customers : IDisposable
{
    private readonly HttpClient _http;
    private readonly UntilAnswered _replicas;
    private readonly ConcurrentDictionary<Guid, string> _answered = [];

    /// <summary>Describes them.</summary>
    /// <param name="entrances">The replicas to ask.</param>
    /// <param name="waitFor">How long one waits for an answer; by default 15 s.</param>
    public Customers(IReadOnlyList<Uri> entrances, TimeSpan? waitFor = null) =>
        (_replicas, _http) = (new UntilAnswered(entrances), new HttpClient { Timeout = waitFor ?? TimeSpan.FromSeconds(15) });

    /// <summary>The top-ups that were answered, and the state that was answered.</summary>
    public IReadOnlyDictionary<Guid, string> Answered => _answered;

    /// <summary>How many requests were never answered and were sent again.</summary>
    public int Unanswered => _replicas.Unanswered;

    /// <summary>Asks for a top-up once.</summary>
    /// <exception cref="HttpRequestException">There was no answer.</exception>
    public Task<Guid> TopUpOnceAsync(Guid userId, long amount) => AskOnceAsync(userId, amount, key: null, _replicas.Entrance(0));

    /// <summary>Asks for a top-up until there is an answer.</summary>
    public Task<Guid> TopUpAsync(Guid userId, long amount, string key, int entrance = 0) =>
        _replicas.AskAsync(key, entrance, replica => AskOnceAsync(userId, amount, key, replica));

    /// <summary>Asks for many, some at a time.</summary>
    /// <param name="users">Who asks, in turn.</param>
    /// <param name="count">How many top-ups.</param>
    /// <param name="amount">How much each is.</param>
    /// <param name="clients">How many ask at a time.</param>
    /// <param name="answered">Told of how many were answered.</param>
    public async Task TopUpAllAsync(IReadOnlyList<Guid> users, int count, Func<int, long> amount, int clients, Action<int> answered)
    {
        var next = -1;
        var done = 0;
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
        {
            for (var number = Interlocked.Increment(ref next); number < count; number = Interlocked.Increment(ref next))
            {
                await TopUpAsync(users[number % users.Count], amount(number), string.Create(CultureInfo.InvariantCulture, $"top-up-{number}"), number);
                answered(Interlocked.Increment(ref done));
            }
        }));
    }

    /// <summary>The state that the API shows, in words.</summary>
    public async Task<string> StateAsync(Guid topUp, int entrance = 0) =>
        (await _http.GetFromJsonAsync<JsonElement>(new Uri(_replicas.Entrance(entrance), $"/top-ups/{topUp}"))).GetProperty("state").GetString()!;

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<Guid> AskOnceAsync(Guid userId, long amount, string? key, Uri entrance)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(entrance, $"/users/{userId}/top-ups"))
        {
            Content = JsonContent.Create(new { amount }),
        };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        using var answer = await _http.SendAsync(request);
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
            throw new HttpRequestException("Not now.", inner: null, answer.StatusCode);
        if (answer.StatusCode != HttpStatusCode.Accepted)
            throw new InvalidOperationException($"Expected 202 for a top-up; found {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        var topUp = await answer.Content.ReadFromJsonAsync<JsonElement>();
        var id = topUp.GetProperty("id").GetGuid();
        _answered[id] = topUp.GetProperty("state").GetString()!;
        return id;
    }
}
