namespace Outbox.Databases;

/// <summary>The statements of <see cref="LeaseStatements"/>, run. One user at a time.</summary>
internal sealed class LeaseTable(RelayConnection connection)
{
    private LeaseStatements? _sql;

    private LeaseStatements Sql => _sql ??= new LeaseStatements(connection.Dialect);

    public Task Join(Guid me, CancellationToken cancellationToken)
        => connection.Execute(Sql.Join, c => c.Add("me", me), cancellationToken);

    /// <returns>Whether the replica is still there.</returns>
    public async Task<bool> Beat(Guid me, CancellationToken cancellationToken)
        => await connection.Execute(Sql.Beat, c => c.Add("me", me), cancellationToken).ConfigureAwait(false) == 1;

    /// <returns>All replicas and their beats.</returns>
    public async Task<Dictionary<Guid, long>> Watch(CancellationToken cancellationToken)
    {
        var beats = new Dictionary<Guid, long>();
        await connection.Query(
            Sql.Watch,
            _ => { },
            async reader =>
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    beats.Add(reader.GetGuid(0), reader.GetInt64(1));
            },
            cancellationToken).ConfigureAwait(false);
        return beats;
    }

    /// <returns>Whether it was removed; otherwise it has beaten since, or somebody else was faster.</returns>
    public async Task<bool> Evict(Guid other, long seen, CancellationToken cancellationToken)
        => await connection.Execute(Sql.Evict, c => c.Add("other", other).Add("seen", seen), cancellationToken).ConfigureAwait(false) == 1;

    public Task EvictOthers(Guid me, CancellationToken cancellationToken)
        => connection.Execute(Sql.EvictOthers, c => c.Add("me", me), cancellationToken);

    public Task Leave(Guid me, CancellationToken cancellationToken)
        => connection.Execute(Sql.Leave, c => c.Add("me", me), cancellationToken);

    /// <returns>The owner of each partition.</returns>
    public async Task<Dictionary<int, Guid?>> List(CancellationToken cancellationToken)
    {
        var owners = new Dictionary<int, Guid?>();
        await connection.Query(
            Sql.List,
            _ => { },
            async reader =>
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    owners.Add(reader.GetInt32(0), reader.GetOptionalGuid(1));
            },
            cancellationToken).ConfigureAwait(false);
        return owners;
    }

    /// <summary>Creates the rows of the partitions, all or none of them.</summary>
    public Task Create(int partitionCount, CancellationToken cancellationToken)
        => connection.InTransaction(
            async () =>
            {
                for (var partition = 0; partition < partitionCount; partition++)
                    await connection.Execute(Sql.Create, c => c.Add("partition", partition), cancellationToken).ConfigureAwait(false);
            },
            cancellationToken);

    /// <returns>Whether it was free.</returns>
    public async Task<bool> Claim(Guid me, int partition, CancellationToken cancellationToken)
        => await connection.Execute(Sql.Claim, c => c.Add("me", me).Add("partition", partition), cancellationToken).ConfigureAwait(false) == 1;

    public Task Release(Guid me, int partition, CancellationToken cancellationToken)
        => connection.Execute(Sql.Release, c => c.Add("me", me).Add("partition", partition), cancellationToken);
}
