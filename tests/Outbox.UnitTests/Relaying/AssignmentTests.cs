using MassTransit;
using Outbox.Relaying;

namespace Outbox.UnitTests.Relaying;

public sealed class AssignmentTests
{
    [Theory]
    [InlineData(1, 16)]
    [InlineData(3, 16)]
    [InlineData(16, 16)]
    [InlineData(20, 16)]
    [InlineData(5, 1)]
    public void Every_partition_has_one_owner_and_the_shares_differ_by_one_at_most(int replicas, int partitions)
    {
        var alive = Enumerable.Range(0, replicas).Select(_ => NewId.NextGuid()).ToList();

        var shares = alive.ConvertAll(me => Assignment.Of(me, alive, partitions));

        shares.SelectMany(s => s).Order().ShouldBe(Enumerable.Range(0, partitions));
        (shares.Max(s => s.Count) - shares.Min(s => s.Count)).ShouldBeLessThanOrEqualTo(1);
    }

    [Fact]
    public void The_order_in_which_the_replicas_are_listed_does_not_matter()
    {
        var alive = Enumerable.Range(0, 5).Select(_ => NewId.NextGuid()).ToList();

        Assignment.Of(alive[2], Enumerable.Reverse(alive).ToList(), 16).ShouldBe(Assignment.Of(alive[2], alive, 16), ignoreOrder: true);
    }

    [Fact]
    public void A_replica_that_is_not_among_the_living_takes_nothing()
        => Assignment.Of(NewId.NextGuid(), [NewId.NextGuid()], 16).ShouldBeEmpty();
}
