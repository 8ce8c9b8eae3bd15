using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Outbox.Databases;
using Outbox.Relaying;
using Outbox.Testing;

namespace Outbox.ConformanceTests.Relaying;

/// <summary>The statements by which replicas share the partitions, run against each other on connections of their own.</summary>
public abstract class LeaseSuite : IAsyncLifetime
{
    private readonly Guid _me = NewId.NextGuid();
    private readonly Guid _other = NewId.NextGuid();
    private TestDatabase? _database;
    private ShopHost? _host;
    private Replica? _mine;
    private Replica? _theirs;

    private Replica Mine => _mine!;

    private Replica Theirs => _theirs!;

    protected abstract Task<TestDatabase> NewDatabase();

    public async Task InitializeAsync()
    {
        _database = await NewDatabase();
        _host = await ShopHost.StartAsync(_database, o => o.WithoutRelay());
        var store = _host.Services.GetRequiredService<OutboxStore<ShopDb>>();
        (_mine, _theirs) = (new Replica(store), new Replica(store));
        await Mine.Table.Create(4, default);
        await Mine.Table.Join(_me, default);
        await Theirs.Table.Join(_other, default);
    }

    public async Task DisposeAsync()
    {
        foreach (var part in new IAsyncDisposable?[] { _mine?.Connection, _theirs?.Connection, _host, _database })
        {
            if (part is not null)
                await part.DisposeAsync();
        }
    }

    [SkippableFact]
    public async Task A_beat_is_seen_by_the_others()
    {
        (await Mine.Table.Beat(_me, default)).ShouldBeTrue();

        (await Theirs.Table.Watch(default)).ShouldBe(new Dictionary<Guid, long> { [_me] = 1, [_other] = 0 }, ignoreOrder: true);
    }

    [SkippableFact]
    public async Task A_beat_that_comes_before_the_eviction_saves_the_replica()
    {
        await Theirs.Table.Claim(_other, 2, default);
        var seen = (await Mine.Table.Watch(default))[_other];
        await Theirs.Table.Beat(_other, default);

        (await Mine.Table.Evict(_other, seen, default)).ShouldBeFalse();

        (await Mine.Table.List(default))[2].ShouldBe(_other);
    }

    [SkippableFact]
    public async Task An_eviction_frees_the_partitions_and_the_next_beat_tells_the_evicted()
    {
        await Theirs.Table.Claim(_other, 2, default);

        (await Mine.Table.Evict(_other, 0, default)).ShouldBeTrue();

        (await Mine.Table.List(default))[2].ShouldBeNull();
        (await Theirs.Table.Beat(_other, default)).ShouldBeFalse();
    }

    [SkippableFact]
    public async Task Two_watchers_evict_once()
    {
        var evictions = await Task.WhenAll(Mine.Table.Evict(_other, 0, default), Theirs.Table.Evict(_other, 0, default));

        evictions.Count(e => e).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_claim_of_an_evicted_replica_is_refused()
    {
        await Mine.Table.Evict(_other, 0, default);

        await Should.ThrowAsync<System.Data.Common.DbException>(() => Theirs.Table.Claim(_other, 1, default));

        (await Mine.Table.List(default))[1].ShouldBeNull();
    }

    [SkippableFact]
    public async Task A_free_partition_is_claimed_once()
    {
        var claims = await Task.WhenAll(Mine.Table.Claim(_me, 3, default), Theirs.Table.Claim(_other, 3, default));

        claims.Count(c => c).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_claim_never_takes_from_a_live_owner()
    {
        await Theirs.Table.Claim(_other, 3, default);

        (await Mine.Table.Claim(_me, 3, default)).ShouldBeFalse();

        (await Mine.Table.List(default))[3].ShouldBe(_other);
    }

    [SkippableFact]
    public async Task Only_the_owner_releases()
    {
        await Theirs.Table.Claim(_other, 3, default);

        await Mine.Table.Release(_me, 3, default);
        (await Mine.Table.List(default))[3].ShouldBe(_other);

        await Theirs.Table.Release(_other, 3, default);
        (await Mine.Table.List(default))[3].ShouldBeNull();
    }

    [SkippableFact]
    public async Task A_release_after_an_eviction_takes_nothing_from_the_next_owner()
    {
        await Theirs.Table.Claim(_other, 3, default);
        await Mine.Table.Evict(_other, 0, default);
        await Mine.Table.Claim(_me, 3, default);

        await Theirs.Table.Release(_other, 3, default);

        (await Mine.Table.List(default))[3].ShouldBe(_me);
    }

    [SkippableFact]
    public async Task Leaving_frees_everything_at_once()
    {
        await Theirs.Table.Claim(_other, 0, default);
        await Theirs.Table.Claim(_other, 1, default);

        await Theirs.Table.Leave(_other, default);

        (await Mine.Table.List(default)).Values.ShouldAllBe(owner => owner == null);
    }

    [SkippableFact]
    public async Task In_every_order_of_one_replicas_beat_claim_and_release_and_anothers_watch_eviction_and_claim_the_owner_is_the_one_who_was_told()
    {
        foreach (var order in Orders(mine: 3, theirs: 3))
        {
            var (me, other) = (NewId.NextGuid(), NewId.NextGuid());
            await Mine.Table.Join(me, default);
            await Theirs.Table.Join(other, default);
            var (alive, beats, seen, owner) = (true, 0L, 0L, (Guid?)null);
            var mine = new Queue<Func<Task>>([Beat, Claim, Release]);
            var theirs = new Queue<Func<Task>>([Watch, Evict, ClaimToo]);

            foreach (var isMine in order)
            {
                await (isMine ? mine : theirs).Dequeue()();
                (await Mine.Table.List(default))[0].ShouldBe(owner, string.Join(' ', order));
            }

            await Mine.Table.Leave(me, default);
            await Theirs.Table.Leave(other, default);

            async Task Beat()
            {
                (await Mine.Table.Beat(me, default)).ShouldBe(alive);
                beats++;
            }

            async Task Claim()
            {
                if (!alive && owner is null)
                    await Should.ThrowAsync<System.Data.Common.DbException>(() => Mine.Table.Claim(me, 0, default));
                else
                    (await Mine.Table.Claim(me, 0, default)).ShouldBe(owner is null);
                owner ??= alive ? me : null;
            }

            async Task Release()
            {
                await Mine.Table.Release(me, 0, default);
                owner = owner == me ? null : owner;
            }

            async Task Watch() => seen = (await Theirs.Table.Watch(default))[me];

            async Task Evict()
            {
                (await Theirs.Table.Evict(me, seen, default)).ShouldBe(seen == beats);
                alive = seen != beats;
                owner = owner == me && !alive ? null : owner;
            }

            async Task ClaimToo()
            {
                (await Theirs.Table.Claim(other, 0, default)).ShouldBe(owner is null);
                owner ??= other;
            }
        }

        static IEnumerable<List<bool>> Orders(int mine, int theirs)
            => mine + theirs == 0
                ? [[]]
                : (mine > 0 ? Orders(mine - 1, theirs).Select(rest => (List<bool>)[true, .. rest]) : [])
                    .Concat(theirs > 0 ? Orders(mine, theirs - 1).Select(rest => (List<bool>)[false, .. rest]) : []);
    }

    [SkippableFact]
    public async Task The_partitions_are_created_once_whoever_comes_first()
    {
        await Task.WhenAll(Mine.Table.Create(4, default), Theirs.Table.Create(4, default));

        (await Mine.Table.List(default)).Keys.Order().ShouldBe([0, 1, 2, 3]);
    }

    [SkippableFact]
    public async Task A_claim_whose_answer_was_lost_is_found_and_given_back_when_the_share_has_changed_since()
    {
        for (var partition = 0; partition < 4; partition++)
            await Mine.Table.Claim(_me, partition, default);
        var ownership = new Ownership(Mine.Table, new OutboxRegistration<ShopDb>(new OutboxOptions { PartitionCount = 4 }));
        var term = new Term(_me, leaseTime: null, new Beat(TimeProvider.System), TimeProvider.System);

        await ownership.Share(term, [_me, _other], default);
        ownership.IsComplete.ShouldBeFalse();
        await ownership.Claim(default);

        ownership.IsComplete.ShouldBeTrue();
        ownership.Active.Count.ShouldBe(2);
        ownership.Leaving.Concat(ownership.Active).Order().ShouldBe([0, 1, 2, 3]);
    }

    [SkippableFact]
    public async Task A_release_whose_answer_was_lost_is_found_and_what_waits_of_the_partition_is_not_this_replicas_any_more()
    {
        var ownership = new Ownership(Mine.Table, new OutboxRegistration<ShopDb>(new OutboxOptions { PartitionCount = 4 }));
        var term = new Term(_me, leaseTime: null, new Beat(TimeProvider.System), TimeProvider.System);
        await ownership.Share(term, [_me], default);
        (await ownership.Claim(default)).ShouldBeFalse();
        await ownership.Share(term, [_me, _other], default);
        var leaving = ownership.Leaving[0];
        await Mine.Table.Release(_me, leaving, default);
        await Theirs.Table.Claim(_other, leaving, default);
        ownership.Doubt();

        ownership.Owns(leaving).ShouldBeTrue();
        (await ownership.Claim(default)).ShouldBeTrue();

        ownership.Owns(leaving).ShouldBeFalse();
        ownership.Leaving.ShouldHaveSingleItem().ShouldNotBe(leaving);
        ownership.IsComplete.ShouldBeTrue();
        (await ownership.Claim(default)).ShouldBeFalse();
        (await Mine.Table.List(default))[leaving].ShouldBe(_other);
    }

    [SkippableFact]
    public async Task However_claims_and_releases_race_the_table_says_what_the_winners_believe()
    {
        var owners = new SignalLog<(int Partition, Guid Owner, bool Taken)>();
        await Task.WhenAll(Storm(Mine, _me, owners), Storm(Theirs, _other, owners));

        // What the table says in the end is what the winners believe.
        var believed = owners.Values.GroupBy(o => o.Partition).ToDictionary(g => g.Key, g => g.Sum(o => o.Taken ? 1 : -1));
        var table = await Mine.Table.List(default);
        believed.ShouldAllBe(b => b.Value == (table[b.Key] == null ? 0 : 1));
    }

    private static async Task Storm(Replica replica, Guid id, SignalLog<(int Partition, Guid Owner, bool Taken)> owners)
    {
        var held = new HashSet<int>();
        for (var round = 0; round < 40; round++)
        {
            await replica.Table.Beat(id, default);
            var partition = round % 4;
            if (held.Remove(partition))
            {
                await replica.Table.Release(id, partition, default);
                owners.Add((partition, id, false));
            }
            else if (await replica.Table.Claim(id, partition, default))
            {
                held.Add(partition);
                owners.Add((partition, id, true));
            }
        }
    }

    /// <summary>One replica's own connection.</summary>
    private sealed class Replica
    {
        public Replica(OutboxStore store)
        {
            Connection = new RelayConnection(store, new OutboxOptions());
            Table = new LeaseTable(Connection);
        }

        public RelayConnection Connection { get; }

        public LeaseTable Table { get; }
    }
}

public sealed class SqliteLeaseTests : LeaseSuite
{
    protected override Task<TestDatabase> NewDatabase() => Task.FromResult(TestDatabase.Sqlite());
}

public sealed class PostgresLeaseTests : LeaseSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.PostgresAsync();
}

public sealed class SqlServerLeaseTests : LeaseSuite
{
    protected override Task<TestDatabase> NewDatabase() => TestDatabase.SqlServerAsync();
}
