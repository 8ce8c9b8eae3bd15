using System.Globalization;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Outbox;
using RabbitMQ.Client.Events;

namespace Benchmarks;

/// <summary>
/// A database with rows to relay, made of one captured message. Row n has n in its message id and the key n modulo the number of keys, so that
/// the queue can be read back: what is missing, what is there twice, and what overtook an earlier one of its key.
/// </summary>
internal sealed class Backlog : IAsyncDisposable
{
    public const string Queue = "bench-drain";
    private readonly Bench _bench;
    private readonly int _keys;

    private Backlog(Bench bench, string database, int messages, int keys) => (_bench, Database, Messages, _keys) = (bench, database, messages, keys);

    public string Database { get; }

    public int Messages { get; }

    /// <summary>Stores rows.</summary>
    /// <param name="bench">The servers.</param>
    /// <param name="messages">How many are ready.</param>
    /// <param name="keys">How many keys they have; as a rule each has its own.</param>
    /// <param name="size">The size of a body; as a rule that of the captured one, 1 KB.</param>
    /// <param name="scheduled">How many more are due in a day.</param>
    /// <param name="before">Runs when the tables are there, and before the rows.</param>
    public static async Task<Backlog> StoreAsync(
        Bench bench, int messages, int? keys = null, int? size = null, int scheduled = 0, Func<NpgsqlDataSource, Task>? before = null)
    {
        var backlog = new Backlog(bench, await bench.NewDatabaseAsync(), messages, keys ?? messages);
        using var host = bench.NewHost(backlog.Database, x => x.AddEntityFrameworkOutbox<BenchDb>(o => o.DisableDeliveryService()));
        await using (var scope = host.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<BenchDb>();
            await db.Database.EnsureCreatedAsync();
            await scope.ServiceProvider.GetRequiredService<IOutbox<BenchDb>>().Publish(ItemAdded.OneKilobyte());
            await db.SaveChangesAsync();
        }

        await using var source = NpgsqlDataSource.Create(backlog.Database);
        await ExecuteAsync(source, """CREATE TABLE "Template" AS TABLE "OutboxMessage"; DELETE FROM "OutboxMessage" """);
        if (before is not null)
            await before(source);
        if (scheduled > 0)
            await backlog.InsertAsync(source, messages + 1, messages + scheduled, size, due: "now() AT TIME ZONE 'utc' + interval '1 day'");
        await backlog.InsertAsync(source, 1, messages, size, due: "NULL");
        await ExecuteAsync(source, "VACUUM ANALYZE \"OutboxMessage\"");
        await ExecuteAsync(source, "CHECKPOINT");
        return backlog;
    }

    /// <summary>A relay on the database, not yet started.</summary>
    public IHost NewRelay() => _bench.NewHost(Database, x => x.AddEntityFrameworkOutbox<BenchDb>());

    /// <summary>Relays from one count of messages to another, and measures it.</summary>
    public async Task<Passage> DrainAsync(int? from = null, int? to = null, int replicas = 1)
    {
        var hosts = Enumerable.Range(0, replicas).Select(_ => NewRelay()).ToList();
        try
        {
            var passage = await Passage.OfAsync(_bench, Queue, from ?? 0, to ?? Messages, () => Task.WhenAll(hosts.Select(h => h.StartAsync())));
            await Task.WhenAll(hosts.Select(h => h.StopAsync()));
            return passage;
        }
        finally
        {
            hosts.ForEach(h => h.Dispose());
        }
    }

    /// <summary>Empties the queue and compares it with what was stored and is no longer in the table.</summary>
    public async Task<Books> ReadBackAsync()
    {
        await using var connection = await _bench.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        var expected = await channel.MessageCountAsync(Queue);
        var (seen, last) = (new int[Messages + 1], new int[_keys]);
        var (count, disordered) = (0, 0);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            var number = int.Parse(delivery.BasicProperties.MessageId.AsSpan(24), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            seen[number]++;
            if (number < last[number % _keys])
                disordered++;
            last[number % _keys] = number;
            if (++count == expected)
                all.SetResult();
            return Task.CompletedTask;
        };
        if (expected > 0)
        {
            await channel.BasicConsumeAsync(Queue, autoAck: true, "", noLocal: false, exclusive: false, arguments: null, consumer);
            await all.Task;
        }

        await using var source = NpgsqlDataSource.Create(Database);
        await using var command = source.CreateCommand("""SELECT count(*) FROM "OutboxMessage" WHERE "DueAt" IS NULL""");
        var left = (int)(long)(await command.ExecuteScalarAsync())!;
        return new Books(Messages - left - seen.Count(n => n > 0), seen.Sum(n => Math.Max(0, n - 1)), disordered);
    }

    public async ValueTask DisposeAsync()
    {
        await _bench.PurgeAsync(Queue);
        await _bench.DropDatabaseAsync(Database);
    }

    public static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync();
    }

    private Task InsertAsync(NpgsqlDataSource source, int from, int to, int? size, string due)
        => ExecuteAsync(source, FormattableString.Invariant($"""
            INSERT INTO "OutboxMessage" ("Partition", "KeyHash", "State", "DueAt", "Holds", "Attempts", "Returns", "CreatedAt", "MessageId", "ConversationId",
                "MessageType", "DestinationAddress", "ContentType", "Metadata", "Body", "Size")
            SELECT n % {_keys} % 16, n % {_keys}, "State", {due}, "Holds", "Attempts", "Returns", "CreatedAt",
                ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, gen_random_uuid(),
                "MessageType", "DestinationAddress", "ContentType", "Metadata",
                {(size is { } bytes ? FormattableString.Invariant($"decode(repeat('78', {bytes}), 'hex')") : "\"Body\"")}, {(size is { } length ? length.ToString(CultureInfo.InvariantCulture) : "\"Size\"")}
            FROM "Template", generate_series({from}, {to}) n
            """));
}
