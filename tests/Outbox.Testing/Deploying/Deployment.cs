using System.Globalization;
using System.Security.Cryptography;
using MassTransit;
using Npgsql;

namespace Outbox.Testing;

/// <summary>
/// The three services as separate processes over PostgreSQL and RabbitMQ, some replicas of each: databases and a
/// virtual host of their own, ports that are free.
/// </summary>
public sealed class Deployment : IAsyncDisposable
{
    private static readonly (string Name, string Format) Address = ("ASPNETCORE_URLS", "http://127.0.0.1:{0}");

    private readonly PostgresServer _postgres;
    private readonly Dictionary<string, string> _databases;
    private readonly PaymentProvider? _payments;
    private readonly bool _quorumQueues;
    private readonly string _receiverKey = $"rk_{NewId.NextGuid():N}{NewId.NextGuid():N}";
    private readonly string _encryptionKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private Deployment(
        PostgresServer postgres, RabbitMqVirtualHost broker, Dictionary<string, string> databases, int users, int workers, bool payments, bool quorumQueues)
    {
        _postgres = postgres;
        _quorumQueues = quorumQueues;
        _databases = databases;
        Broker = broker;
        Books = new Books(name => new NpgsqlConnection(databases[name]));
        if (payments)
        {
            Simulators = new ServiceReplica("Simulators", "Simulators", Address, new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Simulators__Data"] = Leftovers.NewFolder("simulators"),
            });
            _payments = new PaymentProvider(Simulators.Address);
            var traps = Leftovers.NewFolder("crash-points");
            CrashPoints = [.. Enumerable.Range(0, users).Select(number => new CrashPoint(Path.Combine(traps, $"{number}")))];
        }

        Users = Replicas("Users.Api", users);
        Points = Replicas("Points.Worker", workers);
        Notifications = Replicas("Notifications.Worker", workers);
    }

    /// <summary>The virtual host that they share.</summary>
    public RabbitMqVirtualHost Broker { get; }

    /// <summary>What their databases hold.</summary>
    public Books Books { get; }

    /// <summary>The replicas of Users.Api.</summary>
    public IReadOnlyList<ServiceReplica> Users { get; }

    /// <summary>The replicas of Points.Worker.</summary>
    public IReadOnlyList<ServiceReplica> Points { get; }

    /// <summary>The replicas of Notifications.Worker.</summary>
    public IReadOnlyList<ServiceReplica> Notifications { get; }

    /// <summary>The payment provider's process; null where none was asked for.</summary>
    public ServiceReplica? Simulators { get; }

    /// <summary>The payment provider.</summary>
    public PaymentProvider Payments => _payments ?? throw new InvalidOperationException("It was made without payments.");

    /// <summary>A crash point for each replica of Users.Api; none where no payment provider was asked for.</summary>
    public IReadOnlyList<CrashPoint> CrashPoints { get; } = [];

    /// <summary>Every replica of every service.</summary>
    public IReadOnlyList<ServiceReplica> All => [.. Users, .. Points, .. Notifications, .. Simulators is null ? (ServiceReplica[])[] : [Simulators]];

    /// <summary>The HTTP APIs of the first replicas.</summary>
    public ShopClient Client => ClientAt(0);

    /// <summary>Where clients register users: every replica of Users.Api.</summary>
    public IReadOnlyList<Uri> Entrances => [.. Users.Select(user => user.Address)];

    /// <summary>Makes the databases and the virtual host; nothing is started yet.</summary>
    /// <param name="postgres">Where the databases go.</param>
    /// <param name="broker">Where the virtual host goes.</param>
    /// <param name="users">How many replicas of Users.Api.</param>
    /// <param name="workers">How many replicas of Points.Worker, and of Notifications.Worker.</param>
    /// <param name="payments">Whether there is a payment provider to top up with, and crash points on the way to it.</param>
    /// <param name="quorumQueues">Whether the queues are quorum queues, as in containers.</param>
    public static async Task<Deployment> CreateAsync(
        PostgresServer postgres, RabbitMqServer broker, int users = 1, int workers = 1, bool payments = false, bool quorumQueues = false)
    {
        var databases = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in Books.Databases)
            databases[name] = new NpgsqlConnectionStringBuilder(await postgres.CreateDatabaseAsync()) { MaxPoolSize = 40 }.ConnectionString;
        return new Deployment(postgres, await broker.CreateVirtualHostAsync(), databases, users, workers, payments, quorumQueues);
    }

    /// <summary>Starts what does not run yet, and waits until all can work.</summary>
    public Task StartAsync() => StartAsync(All);

    /// <summary>Starts some of the replicas, and waits until they can work.</summary>
    public static async Task StartAsync(IEnumerable<ServiceReplica> replicas)
    {
        var starting = replicas.ToList();
        starting.ForEach(replica => replica.Start());
        await Task.WhenAll(starting.Select(replica => replica.WaitUntilReadyAsync()));
    }

    /// <summary>The HTTP APIs, those of the notifications at a replica of one's choice.</summary>
    public ShopClient ClientAt(int notifier) => new(Users[0].Address, Points[0].Address, Notifications[notifier].Address, _receiverKey);

    /// <summary>
    /// Waits until all is said and done for these users, stops every service in good order, and returns what their
    /// databases hold then, when nothing moves any more.
    /// </summary>
    /// <exception cref="InvalidOperationException">It did not come to that, or a service had ended by itself.</exception>
    public async Task<BookEntries> SettleAsync(IReadOnlyCollection<Guid> registered, TimeSpan? limit = null)
    {
        try
        {
            await Books.WaitUntilSettledAsync(registered, limit);

            // What was sent twice may still wait in a queue, and would be wrong only after its consumption.
            await Eventually.Get(Broker.QueuesAsync, queues => queues.All(queue => queue.Messages == 0));
            await Task.WhenAll(All.Select(replica => replica.StopAsync()));
            return await Books.ReadAsync();
        }
        catch (Exception exception) when (exception is TimeoutException or InvalidOperationException)
        {
            var queues = string.Join('\n', await Broker.QueuesAsync());
            var waiting = string.Join('\n', await Books.DescribeWaitingAsync());
            throw new InvalidOperationException($"{exception.Message}\n{waiting}\n{queues}\n{string.Join("\n\n", All)}", exception);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(All.Select(replica => replica.DisposeAsync().AsTask()));
        await Broker.DisposeAsync();
        foreach (var database in _databases.Values)
            await _postgres.DropDatabaseAsync(database);
    }

    private List<ServiceReplica> Replicas(string project, int count)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Database__Provider"] = "Postgres",
            ["ConnectionStrings__RabbitMq"] = Broker.Address.AbsoluteUri,
            ["RabbitMq__QuorumQueues"] = $"{_quorumQueues}",
            ["Receivers__Default__ApiKey"] = _receiverKey,
            ["Encryption__Key"] = _encryptionKey,
            ["Delivery__AllowedNetworks"] = "127.0.0.0/8",
            ["Delivery__AllowedPorts"] = "1-65535",
        };
        foreach (var (name, connectionString) in _databases)
            environment[$"ConnectionStrings__{name}"] = connectionString;
        if (Simulators is not null)
            environment["Payments__Address"] = $"{Simulators.Address}payments";
        return [.. Enumerable.Range(1, count).Select(number => new ServiceReplica(
            string.Create(CultureInfo.InvariantCulture, $"{project} {number}"), project, Address, project == "Users.Api" && CrashPoints.Count > 0
                ? new Dictionary<string, string?>([.. environment, .. CrashPoints[number - 1].Environment], StringComparer.Ordinal) : environment))];
    }
}
