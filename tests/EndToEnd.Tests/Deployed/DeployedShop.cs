using System.Security.Cryptography;
using Outbox.Testing;

namespace EndToEnd.Tests.Deployed;

/// <summary>
/// A deployment that somebody else has started, as its users see it: <c>OUTBOX_E2E_USERS</c>, <c>…_POINTS</c>,
/// <c>…_NOTIFICATIONS</c> and <c>…_SIMULATORS</c> hold its addresses, <c>…_RECEIVER_KEY</c> and <c>…_OPERATOR_KEY</c> the
/// keys of the receiver <c>default</c> and of the operator, <c>…_COMPOSE</c> the command that rules its containers, where
/// there are any.
/// </summary>
internal sealed class DeployedShop
{
    private static readonly string[] Addresses = ["USERS", "POINTS", "NOTIFICATIONS", "SIMULATORS", "RECEIVER_KEY", "OPERATOR_KEY"];

    /// <summary>Until when a top-up is decided: the first check-back comes after seconds, another after half a minute.</summary>
    public static readonly TimeSpan Decided = Eventually.Limit * 6;

    private DeployedShop() => Entrances = [Address("USERS")];

    /// <summary>Where users are registered; an element is replaced when a container has another address.</summary>
    public Uri[] Entrances { get; private set; }

    /// <summary>The services' HTTP APIs.</summary>
    public ShopClient Client { get; private set; } =
        new(Address("USERS"), Address("POINTS"), Address("NOTIFICATIONS"), Variable("RECEIVER_KEY")!);

    /// <summary>Where the notifier answers.</summary>
    public Uri Notifications { get; private set; } = Address("NOTIFICATIONS");

    /// <summary>Where the payment provider and the merchant answer.</summary>
    public Uri Simulators { get; private set; } = Address("SIMULATORS");

    /// <summary>The merchant as the notifier sees it.</summary>
    public Uri MerchantAddress =>
        new(Variable("COMPOSE") is null ? Simulators : new Uri("http://simulators:8080"), "/merchant/webhooks");

    /// <summary>The notifier's operator's key.</summary>
    public string OperatorKey => Variable("OPERATOR_KEY")!;

    /// <summary>The payment provider.</summary>
    public PaymentProvider Payments => new(Simulators);

    /// <summary>The containers.</summary>
    public ContainerSet Containers =>
        new(Variable("COMPOSE") ?? throw new InvalidOperationException("Ask RequireContainers first."));

    /// <summary>The deployment; without one the test is skipped, in CI too, since <c>e2e.sh</c> is what starts one.</summary>
    public static async Task<DeployedShop> RequireAsync()
    {
        var missing = Addresses.Where(name => Variable(name) is null).Select(name => $"OUTBOX_E2E_{name}").ToList();
        Skip.If(missing.Count > 0, $"No deployment to test: {string.Join(", ", missing)} not set; ./e2e.sh sets them.");
        var shop = new DeployedShop();
        if (Variable("COMPOSE") is not null)
            await shop.FindAsync();
        return shop;
    }

    /// <summary>The deployment, whose containers may be killed.</summary>
    public static async Task<DeployedShop> RequireContainersAsync()
    {
        var shop = await RequireAsync();
        Skip.If(Variable("COMPOSE") is null, "No containers to rule: OUTBOX_E2E_COMPOSE is not set; ./e2e.sh sets it.");
        return shop;
    }

    /// <summary>Asks again where everything is, as after every start of a container.</summary>
    public async Task FindAsync()
    {
        var users = await Containers.AddressesAsync("users-api");
        if (users.Count == Entrances.Length)
            users.ToArray().CopyTo(Entrances, 0);   // a crowd that is on its way finds the new addresses
        else
            Entrances = [.. users];
        Notifications = (await Containers.AddressesAsync("notifications-worker"))[0];
        Simulators = (await Containers.AddressesAsync("simulators"))[0];
        Client = new ShopClient(
            users[0], (await Containers.AddressesAsync("points-worker"))[0], Notifications, Variable("RECEIVER_KEY")!);
    }

    /// <summary>A name that no run against this deployment has used.</summary>
    public static string NewName(string what) => $"{what}-{RandomNumberGenerator.GetHexString(12, lowercase: true)}";

    /// <summary>
    /// Waits until each of these users has exactly the welcome points, by one credit, and one notification of it, and
    /// until no queue holds anything that could still change it.
    /// </summary>
    public async Task SettlesAsync(IReadOnlyCollection<Guid> registered)
    {
        await SettledAsync(registered);
        if (Variable("COMPOSE") is null)
            return;

        // What was sent twice may still wait in a queue, and would be wrong only after its consumption; what was given up
        // lies in an error queue.
        await Eventually.Get(
            () => Containers.ExecuteAsync("rabbitmq", "rabbitmqctl --quiet --no-table-headers list_queues messages consumers messages_unacknowledged name"),
            lines => lines.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .All(line => line.StartsWith("0\t", StringComparison.Ordinal)),
            Eventually.Limit * 6);
        await SettledAsync(registered);
    }

    private async Task SettledAsync(IReadOnlyCollection<Guid> registered)
    {
        await Eventually.Holds(
            async () =>
            {
                foreach (var id in registered)
                {
                    (await Client.FindAccountAsync(id))?.Balance.ShouldBe(100, $"points of {id}");
                    (await Client.EntriesAsync(id)).Items.Select(entry => entry.BusinessKey).ShouldBe([$"welcome:{id}"]);
                }
            },
            Eventually.Limit * 6);

        var wanted = registered.Select(id => $"welcome:{id}").Order(StringComparer.Ordinal).ToList();
        var mine = registered.ToHashSet();
        await Eventually.Holds(
            async () => (await Client.CreditNotificationsAsync())
                .Where(notification => mine.Contains(notification.Data.UserId))
                .Select(notification => notification.BusinessKey)
                .Order(StringComparer.Ordinal)
                .ShouldBe(wanted),
            Eventually.Limit * 6);
    }

    private static Uri Address(string name) => new(Variable(name)!);

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable($"OUTBOX_E2E_{name}") is { Length: > 0 } value ? value : null;
}
