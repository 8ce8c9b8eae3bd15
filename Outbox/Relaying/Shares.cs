namespace Outbox.Relaying;

/// <summary>How many rows of each partition one read takes.</summary>
internal static class Shares
{
    /// <summary>
    /// A quiet partition gets a little, so that a row is found there; those that had more the last time share the rest.
    /// </summary>
    /// <param name="limit">The most rows of the read.</param>
    /// <param name="partitions">The partitions, and whether each had more than its share the last time.</param>
    /// <param name="rotation">Moves the start on: what a limit of bytes cuts off this time comes first some other time.</param>
    public static IReadOnlyList<(int Partition, int Take)> Of(int limit, IReadOnlyList<(int Partition, bool HasMore)> partitions, int rotation)
    {
        var busy = partitions.Count(p => p.HasMore);
        var even = Math.Max(1, limit / partitions.Count);
        var little = busy == 0 ? even : Math.Max(1, even / 4);
        var much = busy == 0 ? even : Math.Max(1, (limit - (little * (partitions.Count - busy))) / busy);

        var start = rotation % partitions.Count;
        return [.. partitions.Skip(start).Concat(partitions.Take(start)).Select(p => (p.Partition, p.HasMore ? much : little))];
    }
}
