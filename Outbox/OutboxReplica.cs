namespace Outbox;

/// <summary>A running replica of the service. It lives while its counter moves; nobody's clock is compared.</summary>
public sealed class OutboxReplica
{
    /// <summary>A fresh id at every start.</summary>
    public Guid Id { get; set; }

    /// <summary>Raised by the replica once a period.</summary>
    public long Beat { get; set; }
}

/// <summary>Who relays a partition. The number of rows is the partition count.</summary>
public sealed class OutboxLease
{
    /// <summary>The partition, from 0.</summary>
    public int Partition { get; set; }

    /// <summary>The replica that owns the partition; set to <see langword="null"/> by the foreign key when that replica is removed.</summary>
    public Guid? Owner { get; set; }
}
