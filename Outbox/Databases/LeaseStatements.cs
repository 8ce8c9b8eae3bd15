namespace Outbox.Databases;

/// <summary>The statements by which replicas share the partitions, built once. Every race between them is safe.</summary>
internal sealed class LeaseStatements
{
    public LeaseStatements(SqlDialect dialect)
    {
        var (replica, lease) = (dialect.Tables.Replica, dialect.Tables.Lease);
        var (id, beat) = (replica[nameof(OutboxReplica.Id)], replica[nameof(OutboxReplica.Beat)]);
        var (partition, owner) = (lease[nameof(OutboxLease.Partition)], lease[nameof(OutboxLease.Owner)]);

        Join = $"INSERT INTO {replica} ({id}, {beat}) VALUES (@me, 0)";
        Beat = $"UPDATE {replica} SET {beat} = {beat} + 1 WHERE {id} = @me";
        Watch = $"SELECT {id}, {beat} FROM {replica}";
        Evict = $"DELETE FROM {replica} WHERE {id} = @other AND {beat} = @seen";
        EvictOthers = $"DELETE FROM {replica} WHERE {id} <> @me";
        Leave = $"DELETE FROM {replica} WHERE {id} = @me";

        List = $"SELECT {partition}, {owner} FROM {lease}";
        Create = dialect.InsertKeyUnlessThere(lease, partition, "@partition");
        Claim = $"UPDATE {lease} SET {owner} = @me WHERE {partition} = @partition AND {owner} IS NULL";
        Release = $"UPDATE {lease} SET {owner} = NULL WHERE {partition} = @partition AND {owner} = @me";
    }

    /// <summary>Begins a term.</summary>
    public string Join { get; }

    /// <summary>Shows that the replica lives; changes nothing when it was evicted.</summary>
    public string Beat { get; }

    /// <summary>Reads who else is there.</summary>
    public string Watch { get; }

    /// <summary>Removes a silent replica, unless it has beaten meanwhile; the foreign key frees its partitions.</summary>
    public string Evict { get; }

    /// <summary>Removes every other replica: for the one process that holds the lock of the database file.</summary>
    public string EvictOthers { get; }

    /// <summary>Ends a term; the foreign key frees its partitions.</summary>
    public string Leave { get; }

    /// <summary>Reads who owns what.</summary>
    public string List { get; }

    /// <summary>Creates the row of a partition at the very first start, whoever comes first.</summary>
    public string Create { get; }

    /// <summary>Takes a free partition; violates the foreign key when the replica was evicted.</summary>
    public string Claim { get; }

    /// <summary>Gives a partition back.</summary>
    public string Release { get; }
}
