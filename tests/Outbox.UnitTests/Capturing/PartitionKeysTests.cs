namespace Outbox.UnitTests.Capturing;

public sealed class PartitionKeysTests
{
    [Fact]
    public void A_key_has_the_same_hash_in_every_version()
    {
        // Rows that an older version stored must stay behind the newer ones of their key: these values never change.
        PartitionKeys.Hash("").ShouldBe(1449310910991872227);
        PartitionKeys.Hash("ada").ShouldBe(-2425261791517610243);
    }

    [Theory]
    [InlineData(0, 16, 0)]
    [InlineData(17, 16, 1)]
    [InlineData(-1, 16, 15)]
    [InlineData(long.MinValue, 3, 2)]
    public void A_hash_lies_in_one_partition(long hash, int count, int partition)
        => PartitionKeys.Partition(hash, count).ShouldBe(partition);

    [Fact]
    public void A_key_that_is_absent_is_none()
    {
        var keys = new PartitionKeys();
        keys.Add<Keyed>(m => m.Key);

        keys.For(typeof(Keyed), new Keyed(null)).ShouldBeNull();
        keys.For(typeof(Keyed), new Keyed(42)).ShouldBe("42");
        keys.For(typeof(string), "text").ShouldBeNull();
    }

    private sealed record Keyed(int? Key);
}
