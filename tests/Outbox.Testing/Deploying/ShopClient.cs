using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace Outbox.Testing;

/// <summary>The services' HTTP APIs as their users see them.</summary>
/// <param name="users">Where Users.Api answers.</param>
/// <param name="points">Where Points.Worker answers.</param>
/// <param name="notifications">Where Notifications.Worker answers.</param>
/// <param name="receiverKey">The API key of the receiver <c>default</c>.</param>
public sealed class ShopClient(Uri users, Uri points, Uri notifications, string receiverKey)
{
    private const int PageLimit = 250;

    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(20) };

    /// <summary>Registers a user, whose address is made of the name.</summary>
    public async Task<RegisteredUser> RegisterAsync(string userName)
    {
        using var answer = await Http.PostAsJsonAsync(new Uri(users, "/users"), new { userName, email = $"{userName}@example.com" });
        if (answer.StatusCode != HttpStatusCode.Created)
            throw new InvalidOperationException($"Expected 201 for {userName}; found {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        return await ReadAsync<RegisteredUser>(answer);
    }

    /// <summary>The user's account; null before the first credit.</summary>
    public async Task<Account?> FindAccountAsync(Guid userId)
    {
        using var answer = await Http.GetAsync(new Uri(points, $"/accounts/{userId}"));
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await ReadAsync<Account>(answer);
    }

    /// <summary>The user's first ledger entries.</summary>
    public Task<PageOf<Entry>> EntriesAsync(Guid userId) => GetAsync<PageOf<Entry>>(new Uri(points, $"/accounts/{userId}/entries"));

    /// <summary>Has the receiver told by webhook, too.</summary>
    public async Task AddEndpointAsync(Uri url, params string[] eventTypes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(notifications, "/v1/endpoints")) { Content = JsonContent.Create(new { url, eventTypes }) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", receiverKey);
        using var answer = await Http.SendAsync(request);
        if (answer.StatusCode != HttpStatusCode.Created)
            throw new InvalidOperationException($"Expected 201; found {answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
    }

    /// <summary>A page of the receiver's notifications, of one type or of all.</summary>
    public async Task<PageOf<Notification>> NotificationsAsync(string? after = null, string? type = null)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get, new Uri(notifications, $"/v1/notifications?limit={PageLimit}&after={after}&type={type}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", receiverKey);
        using var answer = await Http.SendAsync(request);
        return await ReadAsync<PageOf<Notification>>(answer);
    }

    /// <summary>The receiver's notifications of points credited to the user.</summary>
    public async Task<IReadOnlyList<Notification>> NotificationsOfAsync(Guid userId) =>
        [.. (await CreditNotificationsAsync()).Where(notification => notification.Data.UserId == userId)];

    /// <summary>All of the receiver's notifications of points credited.</summary>
    public async Task<IReadOnlyList<Notification>> CreditNotificationsAsync()
    {
        List<Notification> found = [];
        string? after = null;
        do
        {
            var page = await NotificationsAsync(after, "points.credited");
            found.AddRange(page.Items);
            after = page.Items.Count < PageLimit ? null : page.Next;   // the feed goes on: it always has a next
        }
        while (after is not null);
        return found;
    }

    private static async Task<T> GetAsync<T>(Uri address)
    {
        using var answer = await Http.GetAsync(address);
        return await ReadAsync<T>(answer);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage answer)
    {
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadFromJsonAsync<T>() ?? throw new InvalidOperationException($"{answer.RequestMessage!.RequestUri} answered with null.");
    }
}

/// <summary>The answer to a registration.</summary>
public sealed record RegisteredUser(Guid Id, string UserName, string Email, DateTime RegisteredAt);

/// <summary>A user's account.</summary>
public sealed record Account(Guid UserId, long Balance, DateTime UpdatedAt);

/// <summary>A ledger entry.</summary>
public sealed record Entry(Guid Id, long Amount, long Balance, string Reason, string BusinessKey);

/// <summary>A notification of the receiver.</summary>
public sealed record Notification(Guid Id, string Type, string BusinessKey, NotificationData Data);

/// <summary>What a notification about points tells.</summary>
public sealed record NotificationData(Guid UserId, long Amount, long Balance, string Reason);

/// <summary>A part of a list.</summary>
public sealed record PageOf<T>(IReadOnlyList<T> Items, string? Next);
