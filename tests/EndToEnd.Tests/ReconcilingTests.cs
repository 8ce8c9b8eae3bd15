using System.Globalization;
using Outbox.Testing;

namespace EndToEnd.Tests;

/// <summary>Who could not be told asks: the feed's cursor leads to exactly what the points service credited.</summary>
public class ReconcilingTests
{
    private const int Users = 200;

    [SkippableFact]
    public async Task A_receiver_that_was_down_for_a_whole_run_polls_from_its_cursor_and_misses_nothing_and_has_nothing_twice()
    {
        await using var deployment = await Deployment.CreateAsync(
            await Require.PostgresAsync(), await Require.RabbitMqAsync(), users: 2, workers: 2);
        await deployment.StartAsync();
        await deployment.Client.AddEndpointAsync(NobodyListens(), "points.credited");
        await deployment.Client.RegisterAsync("ada");
        var down = new Reader(deployment.ClientAt(0));
        await Eventually.Is(() => down.ReadOnAsync(credits: 1));

        // Another one reads all along, at the other replica, while rows are committed in every order and one notifier dies.
        var up = new Reader(deployment.ClientAt(1));
        var crowd = Crowd.Start(deployment.Entrances, Users);
        await crowd.ReachAsync(Users / 2);
        await up.ReadOnAsync(credits: 0);
        await deployment.Notifications[0].KillAsync();
        await up.ReadOnAsync(credits: 0);
        await Deployment.StartAsync([deployment.Notifications[0]]);
        await crowd.Finished;

        var credited = await Eventually.Get(deployment.Books.CreditKeysAsync, keys => keys.Count == Users + 1, Eventually.Limit * 4);
        foreach (var reader in new[] { down, up })
            await Eventually.Is(() => reader.ReadOnAsync(Users + 1), Eventually.Limit * 4);

        // What would come again would come now.
        await Eventually.Get(deployment.Broker.QueuesAsync, queues => queues.All(queue => queue.Messages == 0));
        foreach (var reader in new[] { down, up })
        {
            await reader.ReadOnAsync(credits: 0);
            reader.Keys.Order(StringComparer.Ordinal).ShouldBe(credited.Order(StringComparer.Ordinal));
        }
    }

    private static Uri NobodyListens() => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort.Next()}/hook"));

    /// <summary>A receiver with a cursor.</summary>
    private sealed class Reader(ShopClient client)
    {
        private string? _cursor;

        /// <summary>The business keys of the credits that it has read, in their order.</summary>
        public List<string> Keys { get; } = [];

        /// <summary>Reads from where it stood to the end.</summary>
        /// <returns>Whether it has read so many credits, or more.</returns>
        public async Task<bool> ReadOnAsync(int credits)
        {
            PageOf<Notification> page;
            do
            {
                page = await client.NotificationsAsync(_cursor);
                Keys.AddRange(page.Items.Where(item => item.Type == "points.credited").Select(item => item.BusinessKey));
                _cursor = page.Next.ShouldNotBeNull();
            }
            while (page.Items.Count > 0);
            return Keys.Count >= credits;
        }
    }
}
