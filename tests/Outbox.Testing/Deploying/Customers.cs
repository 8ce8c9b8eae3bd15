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
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = Eventually.Limit * 8;

    private readonly HttpClient _http;
    private readonly IReadOnlyList<Uri> _entrances;
    private readonly ConcurrentDictionary<Guid, string> _answered = [];
    private int _unanswered;

    /// <summary>Describes them.</summary>
    /// <param name="entrances">The replicas to ask.</param>
    /// <param name="waitFor">How long one waits for an answer; by default 15 s.</param>
    public Customers(IReadOnlyList<Uri> entrances, TimeSpan? waitFor = null) =>
        (_entrances, _http) = (entrances, new HttpClient { Timeout = waitFor ?? TimeSpan.FromSeconds(15) });

    /// <summary>The top-ups that were answered, and the state that was answered.</summary>
    public IReadOnlyDictionary<Guid, string> Answered => _answered;

    /// <summary>How many requests were never answered and were sent again.</summary>
    public int Unanswered => Volatile.Read(ref _unanswered);

    /// <summary>Asks for a top-up once.</summary>
    /// <exception cref="HttpRequestException">There was no answer.</exception>
    public async Task<Guid> TopUpOnceAsync(Guid userId, long amount, string? key = null, int entrance = 0)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_entrances[entrance % _entrances.Count], $"/users/{userId}/top-ups"))
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

    /// <summary>Asks for a top-up until there is an answer.</summary>
    public async Task<Guid> TopUpAsync(Guid userId, long amount, string key, int entrance = 0)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await TopUpOnceAsync(userId, amount, key, entrance++);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or TaskCanceledException)
            {
                Interlocked.Increment(ref _unanswered);
                if (TimeProvider.System.GetElapsedTime(started) > Patience)
                    throw new TimeoutException($"{key} was not answered within {Patience}; last: {exception.Message}", exception);
                await Task.Delay(Pause, TimeProvider.System);
            }
        }
    }

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
        (await _http.GetFromJsonAsync<JsonElement>(new Uri(_entrances[entrance], $"/top-ups/{topUp}"))).GetProperty("state").GetString()!;

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
