using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Outbox.Modelling;

namespace Outbox.Capturing;

/// <summary>
/// Gives every captured row its partition while it is being saved, and wakes the relay once the rows are committed.
/// </summary>
internal sealed class OutboxInterceptor(IEnumerable<OutboxRegistration> registrations) : SaveChangesInterceptor, IDbTransactionInterceptor
{
    private readonly OutboxRegistration[] _registrations = [.. registrations];
    private readonly ConditionalWeakTable<DbTransaction, Group> _groups = [];

    /// <summary>Whether a DbContext of this type, or of a base of it, has an outbox.</summary>
    public bool Serves(Type dbContextType) => _registrations.Any(r => r.DbContextType.IsAssignableFrom(dbContextType));

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        AssignPartitions(eventData.Context);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        AssignPartitions(eventData.Context);
        return ValueTask.FromResult(result);
    }

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Saved(eventData.Context);
        return result;
    }

    public override ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        Saved(eventData.Context);
        return ValueTask.FromResult(result);
    }

    void IDbTransactionInterceptor.TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => Committed(transaction);

    Task IDbTransactionInterceptor.TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken)
    {
        Committed(transaction);
        return Task.CompletedTask;
    }

    // A driver may use one transaction object again and again (Npgsql: one a connection), so each begin starts afresh.
    DbTransaction IDbTransactionInterceptor.TransactionStarted(DbConnection connection, TransactionEndEventData eventData, DbTransaction result) => Forget(result);

    ValueTask<DbTransaction> IDbTransactionInterceptor.TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken)
        => ValueTask.FromResult(Forget(result));

    DbTransaction IDbTransactionInterceptor.TransactionUsed(DbConnection connection, TransactionEventData eventData, DbTransaction result) => Forget(result);

    ValueTask<DbTransaction> IDbTransactionInterceptor.TransactionUsedAsync(
        DbConnection connection, TransactionEventData eventData, DbTransaction result, CancellationToken cancellationToken)
        => ValueTask.FromResult(Forget(result));

    private DbTransaction Forget(DbTransaction transaction)
    {
        _groups.Remove(transaction);
        return transaction;
    }

    private void AssignPartitions(DbContext? context)
    {
        if (context is null || RegistrationOf(context) is not { } registration)
            return;

        Group? group = null;
        var added = CapturedIn(context, EntityState.Added);
        InsertedOneByOne.Alternate(added);
        foreach (var row in added.Select(e => e.Entity))
        {
            if (row.PartitionKey is not null)
            {
                row.Partition = PartitionKeys.Partition(row.KeyHash, registration.Options.PartitionCount);
            }
            else
            {
                group ??= GroupOf(context, registration);
                row.KeyHash = group.KeyHash;
                row.Partition = group.Partition;
            }
        }
    }

    private void Saved(DbContext? context)
    {
        if (context is null || RegistrationOf(context) is not { } registration)
            return;

        var stored = false;
        foreach (var row in CapturedIn(context, EntityState.Unchanged))
        {
            // Stored rows are the relay's: a DbContext that lives long must not keep their bodies.
            row.State = EntityState.Detached;
            stored = true;
        }

        // A save that was told not to accept the changes leaves its rows as added: it counts all the same.
        if (!stored && CapturedIn(context, EntityState.Added).Count == 0)
            return;

        if (context.Database.CurrentTransaction is { } transaction)
            _groups.GetValue(transaction.GetDbTransaction(), _ => Group.New(registration)).Stored = true;
        else
            registration.WakeUp.Raise();
    }

    private void Committed(DbTransaction transaction)
    {
        if (_groups.TryGetValue(transaction, out var group) && group.Stored)
            group.Registration.WakeUp.Raise();
    }

    /// <summary>The rows without a key keep the order of their transaction, over all its saves.</summary>
    private Group GroupOf(DbContext context, OutboxRegistration registration)
        => context.Database.CurrentTransaction is { } transaction
            ? _groups.GetValue(transaction.GetDbTransaction(), _ => Group.New(registration))
            : Group.New(registration);

    /// <summary>The outbox of a DbContext.</summary>
    public OutboxRegistration? RegistrationOf(DbContext context)
        => Array.Find(_registrations, r => r.DbContextType.IsInstanceOfType(context));

    /// <summary>The rows of a DbContext that are in this state.</summary>
    internal static List<EntityEntry<OutboxMessage>> CapturedIn(DbContext context, EntityState state)
    {
        // The save itself looks for changes; looking once more for our own rows would double its cost.
        var detect = context.ChangeTracker.AutoDetectChangesEnabled;
        context.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            return [.. context.ChangeTracker.Entries<OutboxMessage>().Where(e => e.State == state)];
        }
        finally
        {
            context.ChangeTracker.AutoDetectChangesEnabled = detect;
        }
    }

    /// <summary>The messages of one transaction that have no key of their own.</summary>
    private sealed record Group(OutboxRegistration Registration, long KeyHash, int Partition)
    {
        public bool Stored { get; set; }

        public static Group New(OutboxRegistration registration)
        {
            var keyHash = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));

            // A partition that this replica relays: its wake-up at the commit then reaches the right relay.
            var owned = registration.OwnedPartitions;
            var partition = owned.Count > 0
                ? owned[PartitionKeys.Partition(keyHash, owned.Count)]
                : PartitionKeys.Partition(keyHash, registration.Options.PartitionCount);
            return new Group(registration, keyHash, partition);
        }
    }
}
