using MassTransit;
using Outbox.Databases;

namespace Outbox.Relaying;

/// <summary>The partitions that this replica owns: it releases what is not its share, and claims what is and is free.</summary>
internal sealed class Ownership(LeaseTable table, OutboxRegistration registration)
{
    private readonly HashSet<int> _owned = [];
    private Guid _term;
    private bool _doubtful;
    private IReadOnlyCollection<Guid> _alive = [];
    private IReadOnlySet<int> _share = new HashSet<int>();

    /// <summary>What is owned and this replica's share; replaced as a whole, never changed in place.</summary>
    public IReadOnlyList<int> Active { get; private set; } = [];

    /// <summary>What is owned and somebody else's share by now: it is to come to rest and to be released.</summary>
    public IReadOnlyList<int> Leaving { get; private set; } = [];

    /// <summary>Whether the whole share is owned.</summary>
    public bool IsComplete => !_doubtful && _share.Count == Active.Count;

    /// <summary>Takes note of who is alive.</summary>
    /// <returns>Whether that is news.</returns>
    public async Task<bool> Share(Term term, IReadOnlyCollection<Guid> alive, CancellationToken cancellationToken)
    {
        if (term.Id == _term && ReferenceEquals(alive, _alive))
            return false;
        if (term.Id != _term)
            Forget();

        await CheckCount(cancellationToken).ConfigureAwait(false);
        _doubtful = true;
        (_term, _alive, _share) = (term.Id, alive, Assignment.Of(term.Id, alive, registration.Options.PartitionCount));
        Changed();
        return true;
    }

    /// <summary>Claims what is free of the share.</summary>
    /// <returns>Whether one was lost: it was released, and only the answer had not come.</returns>
    public async Task<bool> Claim(CancellationToken cancellationToken)
    {
        var lost = false;
        try
        {
            foreach (var (partition, owner) in await table.List(cancellationToken).ConfigureAwait(false))
            {
                // One whose owner is this replica was claimed before, and the answer was lost: it counts, be it of the
                // share or not, since nobody else can claim it before it is released.
                if (owner == _term
                    || (owner is null && _share.Contains(partition) && await table.Claim(_term, partition, cancellationToken).ConfigureAwait(false)))
                    _owned.Add(partition);
                else
                    lost |= _owned.Remove(partition);
            }

            _doubtful = false;
            return lost;
        }
        finally
        {
            Changed();
        }
    }

    /// <summary>Whether the partition is owned.</summary>
    public bool Owns(int partition) => _owned.Contains(partition);

    /// <summary>The answer to a statement may have been lost: what is owned is looked up again.</summary>
    public void Doubt() => _doubtful = true;

    /// <summary>Gives back a partition that has come to rest.</summary>
    public async Task Release(int partition, CancellationToken cancellationToken)
    {
        await table.Release(_term, partition, cancellationToken).ConfigureAwait(false);
        _owned.Remove(partition);
        Changed();
    }

    /// <summary>The term is over: nothing is owned any more.</summary>
    public void Forget()
    {
        _owned.Clear();
        (_term, _alive, _share) = (Guid.Empty, [], new HashSet<int>());
        Changed();
    }

    /// <exception cref="ConfigurationException">The tables were made for another number of partitions.</exception>
    private async Task CheckCount(CancellationToken cancellationToken)
    {
        var expected = registration.Options.PartitionCount;
        var found = (await table.List(cancellationToken).ConfigureAwait(false)).Count;
        if (found == 0)
        {
            await table.Create(expected, cancellationToken).ConfigureAwait(false);
            found = (await table.List(cancellationToken).ConfigureAwait(false)).Count;
        }

        if (found != expected)
        {
            throw new ConfigurationException(
                $"The outbox of {registration.DbContextType.Name} is configured with {expected} partitions (OutboxOptions.PartitionCount); its database has {found}. "
                + $"Configure {found}, or change the number: stop every replica, let the outbox be empty, delete all rows of the OutboxLease table, and start again.");
        }
    }

    private void Changed()
    {
        if (!Active.SequenceEqual(_owned.Where(_share.Contains).Order()))
            Active = registration.OwnedPartitions = [.. _owned.Where(_share.Contains).Order()];
        Leaving = [.. _owned.Except(_share)];
    }
}
