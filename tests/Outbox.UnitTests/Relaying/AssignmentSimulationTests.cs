using MassTransit;
using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

/// <summary>
/// Replicas that beat, watch each other, release and claim as the relay does, over tables in memory and on a clock that is moved by hand: after
/// whoever came, went or died, the partitions are shared evenly again within three beats.
/// </summary>
public sealed class AssignmentSimulationTests
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ClaimPeriod = TimeSpan.FromSeconds(1);

    public static TheoryData<int, int> Sizes()
    {
        var sizes = new TheoryData<int, int>();
        foreach (var replicas in new[] { 1, 2, 3, 5, 8, 16, 31, 64 })
        {
            foreach (var partitions in new[] { 16, 64, 256, 1024 })
                sizes.Add(replicas, partitions);
        }

        return sizes;
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Within_three_beats_of_a_join_or_a_leave_every_partition_has_one_owner_and_the_shares_are_even(int replicas, int partitions)
    {
        var world = new World(partitions, seed: (replicas * 10_000) + partitions);
        for (var i = 0; i < replicas; i++)
            world.Join();
        world.Pass(3 * Beat);
        world.ShouldBeEven();

        world.Join();
        world.Pass(3 * Beat);
        world.ShouldBeEven();

        if (replicas > 1)
            world.Leave();
        world.Leave();
        world.Pass(3 * Beat);
        world.ShouldBeEven();
    }

    // Nobody can know before the lease has ended that a silent replica is dead.
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Within_three_beats_of_the_end_of_a_dead_replicas_lease_its_partitions_are_shared_among_the_others(int replicas, int partitions)
    {
        var world = new World(partitions, seed: (replicas * 10_000) + partitions);
        for (var i = 0; i <= replicas; i++)
            world.Join();
        world.Pass(3 * Beat);

        world.Crash();
        world.Pass(Lease + (3 * Beat));

        world.ShouldBeEven();
    }

    [Theory]
    [InlineData(16)]
    [InlineData(1024)]
    public void Whatever_comes_goes_and_dies_at_once_no_partition_ever_has_two_owners_and_all_end_up_even(int partitions)
    {
        var world = new World(partitions, seed: partitions);
        var random = new Random(partitions);
        world.Join();
        for (var i = 0; i < 200; i++)
        {
            var what = random.Next(3);
            if (what == 0 || world.Living < 2)
            {
                if (world.Living < 64)
                    world.Join();
            }
            else if (what == 1)
            {
                world.Leave();
            }
            else
            {
                world.Crash();
            }

            world.Pass(Step * random.Next(1, 20));
        }

        world.Pass(Lease + (3 * Beat));
        world.ShouldBeEven();
    }

    /// <summary>The two tables, the clock, and who works on them.</summary>
    private sealed class World(int partitions, int seed)
    {
        private readonly Random _random = new(seed);
        private readonly Guid?[] _owners = new Guid?[partitions];
        private readonly Dictionary<Guid, long> _beats = [];
        private readonly List<Replica> _replicas = [];
        private TimeSpan _now;

        public int Living => _replicas.Count;

        public void Join()
        {
            var replica = new Replica(NewId.NextGuid(), _now);
            _beats.Add(replica.Id, 0);
            replica.Look(this);
            _replicas.Add(replica);
        }

        public void Leave()
        {
            var id = Crash();
            Remove(id);
        }

        public Guid Crash()
        {
            var replica = _replicas[_random.Next(_replicas.Count)];
            _replicas.Remove(replica);
            return replica.Id;
        }

        public void Pass(TimeSpan time)
        {
            for (var end = _now + time; _now < end;)
            {
                _now += Step;
                foreach (var replica in _replicas.OrderBy(_ => _random.Next()).ToList())
                    replica.Act(this);
            }
        }

        public void ShouldBeEven()
        {
            _owners.ShouldAllBe(owner => owner != null);
            var shares = _replicas.ConvertAll(r => _owners.Count(owner => owner == r.Id));
            shares.Sum().ShouldBe(partitions, "only the living own partitions");
            (shares.Max() - shares.Min()).ShouldBeLessThanOrEqualTo(1);
        }

        private void Remove(Guid id)
        {
            _beats.Remove(id);
            for (var partition = 0; partition < partitions; partition++)
            {
                if (_owners[partition] == id)
                    _owners[partition] = null;
            }
        }

        /// <summary>One replica: its clock's phase is its own, and so is what it knows of the others.</summary>
        private sealed class Replica(Guid id, TimeSpan joined)
        {
            private readonly BeatWatch _watch = new(Lease, 2 * Beat);
            private TimeSpan _beatAt = joined + Beat;
            private TimeSpan _claimAt = joined;
            private IReadOnlySet<int> _share = new HashSet<int>();

            public Guid Id => id;

            public void Act(World world)
            {
                if (world._now >= _beatAt)
                {
                    _beatAt = world._now + Beat;
                    world._beats[id]++;
                    Look(world);
                }

                if (world._now >= _claimAt)
                {
                    _claimAt = world._now + ClaimPeriod;
                    foreach (var partition in _share.Where(p => world._owners[p] is null))
                        world._owners[partition] = id;
                }
            }

            public void Look(World world)
            {
                foreach (var (dead, beat) in _watch.Observe(new Dictionary<Guid, long>(world._beats), world._now))
                {
                    if (world._beats[dead] == beat)
                        world.Remove(dead);
                }

                _share = Assignment.Of(id, [.. world._beats.Keys], world._owners.Length);
                for (var partition = 0; partition < world._owners.Length; partition++)
                {
                    if (world._owners[partition] == id && !_share.Contains(partition))
                        world._owners[partition] = null;
                }
            }
        }
    }
}
