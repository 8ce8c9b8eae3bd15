namespace Outbox.Relaying;

/// <summary>Who relays what: a pure function of who is alive, so that nobody has to negotiate.</summary>
internal static class Assignment
{
    /// <summary>The i-th of N replicas, sorted by id, takes the partitions that leave i when divided by N.</summary>
    /// <param name="me">The replica that asks. One that is not among the living takes nothing.</param>
    /// <param name="alive">The living replicas, in any order.</param>
    /// <param name="partitionCount">How many partitions there are.</param>
    public static IReadOnlySet<int> Of(Guid me, IReadOnlyCollection<Guid> alive, int partitionCount)
    {
        var place = alive.Order().ToList().IndexOf(me);
        return place < 0
            ? new HashSet<int>()
            : Enumerable.Range(0, partitionCount).Where(p => p % alive.Count == place).ToHashSet();
    }
}
