using System.Globalization;
using System.Net;
using System.Net.Http.Json;

namespace Outbox.Testing;

/// <summary>
/// Clients that register users all at once. Who gets no answer, or 503, asks again, with the same <c>Idempotency-Key</c>, at the
/// next replica, until there is one.
/// </summary>
public sealed class Crowd
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(15) };
    private readonly UntilAnswered _replicas;
    private readonly string _name;
    private readonly SignalLog<Guid> _answered = new();
    private int _next;

    private Crowd(IReadOnlyList<Uri> entrances, string name, int users, int clients)
    {
        _replicas = new UntilAnswered(entrances);
        _name = name;
        Users = users;
        Finished = RunAsync(clients);
    }

    /// <summary>How many users there will be.</summary>
    public int Users { get; }

    /// <summary>Completes when every one of them was answered.</summary>
    public Task Finished { get; }

    /// <summary>Who has been told 201.</summary>
    public IReadOnlyList<Guid> Answered => _answered.Values;

    /// <summary>How many requests were never answered and were sent again.</summary>
    public int Unanswered => _replicas.Unanswered;

    /// <summary>Sends them off.</summary>
    /// <param name="entrances">The replicas to ask.</param>
    /// <param name="users">How many users to register.</param>
    /// <param name="clients">How many ask at a time.</param>
    /// <param name="name">What the users' names begin with; two crowds of one database need two.</param>
    public static Crowd Start(IReadOnlyList<Uri> entrances, int users, int clients = 8, string name = "user") =>
        new(entrances, name, users, clients);

    /// <summary>Waits until at least so many were answered.</summary>
    public async Task ReachAsync(int answered)
    {
        var reached = _answered.WaitForCount(answered, UntilAnswered.Patience);
        await await Task.WhenAny(reached, Finished);
        await reached;
    }

    private Task RunAsync(int clients) => Task.WhenAll(Enumerable.Range(0, clients).Select(_ => AskAsync()));

    private async Task AskAsync()
    {
        for (var number = Interlocked.Increment(ref _next); number <= Users; number = Interlocked.Increment(ref _next))
        {
            var userName = string.Create(CultureInfo.InvariantCulture, $"{_name}-{number}");
            _answered.Add(await _replicas.AskAsync(userName, number, entrance => AskOnceAsync(userName, entrance)));
        }
    }

    private async Task<Guid> AskOnceAsync(string userName, Uri entrance)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(entrance, "/users"))
        {
            Content = JsonContent.Create(new { userName, email = $"{userName}@example.com" }),
        };
        request.Headers.Add("Idempotency-Key", userName);
        using var answer = await _http.SendAsync(request);

        // "Try again" is the answer while a database is away. Any other that is no 201 is not a lost connection: whoever
        // got it would not have asked again.
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
            throw new HttpRequestException($"{entrance} answered {await answer.Content.ReadAsStringAsync()}");
        return answer.StatusCode == HttpStatusCode.Created
            ? (await answer.Content.ReadFromJsonAsync<RegisteredUser>())!.Id
            : throw new InvalidOperationException($"Expected 201 for {userName}; found {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
    }
}
