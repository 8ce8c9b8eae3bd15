using System.Data.Common;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Outbox.Databases;

namespace Outbox.Preparing;

/// <summary>
/// The decisions that wait for the next save of a DbContext. They are made last in the save's transaction, after the
/// business rows: everybody locks in that order.
/// </summary>
/// <remarks>
/// A save without a transaction of the caller's commits by itself, and the decisions are made right before, as often as an
/// execution strategy begins anew. In the caller's transaction they are made at the end of the save.
/// </remarks>
internal sealed class JoinedDecisions(OutboxRegistration registration, DecisionTable table, DbContextId id)
{
    private readonly Dictionary<long, Decision> _wanted = [];
    private AutoTransactionBehavior? _behavior;
    private bool _saving;
    private bool _ownTransaction;
    private bool _made;
    private bool _madeInTransaction;
    private (DbTransaction Transaction, HalfMessageDecidedException Exception)? _refused;

    /// <summary>Whether they belong to this use of the DbContext; one from a pool may have had another user before.</summary>
    public bool IsOf(DbContext dbContext) => dbContext.ContextId == id;

    /// <summary>The next save makes this decision, instead of one wanted before about the same message.</summary>
    public void Want(Decision decision) => _wanted[decision.SequenceNumber] = decision;

    /// <summary>The next save decides nothing about the message.</summary>
    public void Forget(long sequenceNumber) => _wanted.Remove(sequenceNumber);

    /// <summary>A save begins.</summary>
    public void Saving(DbContext dbContext)
    {
        EndOfSave(dbContext);
        (_saving, _made, _ownTransaction) = (_wanted.Count > 0, false, !dbContext.HasTransaction());
        if (!_saving)
            return;

        // A failed concurrency check is told by this event only.
        dbContext.SaveChangesFailed += NotSaved;

        // The save of a single row would do without a transaction, and there would be nothing to join.
        if (_ownTransaction)
        {
            _behavior ??= dbContext.Database.AutoTransactionBehavior;
            dbContext.Database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
        }
    }

    /// <summary>The save's own transaction is about to be committed, or one of the caller's.</summary>
    public void Committing(DbContext dbContext, DbTransaction transaction)
    {
        if (IsToBeMadeBefore(transaction))
        {
            table.Apply(dbContext, _wanted.Values);
            _made = true;
        }
    }

    /// <inheritdoc cref="Committing"/>
    public async Task CommittingAsync(DbContext dbContext, DbTransaction transaction, CancellationToken cancellationToken)
    {
        if (IsToBeMadeBefore(transaction))
        {
            await table.ApplyAsync(dbContext, _wanted.Values, cancellationToken).ConfigureAwait(false);
            _made = true;
        }
    }

    /// <summary>The save has ended well.</summary>
    public void Saved(DbContext dbContext)
    {
        if (!HasSaved(dbContext))
            return;
        if (dbContext.HasTransaction())
        {
            try
            {
                dbContext.Database.OpenConnection();
                table.Apply(dbContext, _wanted.Values);
            }
            catch (HalfMessageDecidedException exception)
            {
                Refuse(dbContext, exception);
                throw;
            }
            finally
            {
                dbContext.Database.CloseConnection();
            }
        }
        else if (!_made)
        {
            table.ApplyAlone(dbContext, _wanted.Values);
        }

        Made(dbContext);
    }

    /// <inheritdoc cref="Saved"/>
    public async Task SavedAsync(DbContext dbContext, CancellationToken cancellationToken)
    {
        if (!HasSaved(dbContext))
            return;
        if (dbContext.HasTransaction())
        {
            try
            {
                await dbContext.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await table.ApplyAsync(dbContext, _wanted.Values, cancellationToken).ConfigureAwait(false);
            }
            catch (HalfMessageDecidedException exception)
            {
                Refuse(dbContext, exception);
                throw;
            }
            finally
            {
                await dbContext.Database.CloseConnectionAsync().ConfigureAwait(false);
            }
        }
        else if (!_made)
        {
            await table.ApplyAloneAsync(dbContext, _wanted.Values, cancellationToken).ConfigureAwait(false);
        }

        Made(dbContext);
    }

    /// <summary>The save has failed: what it was to decide stays wanted, for its repetition.</summary>
    public void NotSaved(DbContext dbContext) => EndOfSave(dbContext);

    /// <summary>A transaction of the caller's has begun.</summary>
    public void Started() => (_refused, _madeInTransaction) = (null, false);

    /// <summary>A transaction was committed.</summary>
    public void Committed()
    {
        if (!_madeInTransaction)
            return;
        _madeInTransaction = false;
        _wanted.Clear();
        registration.WakeUp.Raise();
    }

    private bool IsToBeMadeBefore(DbTransaction transaction)
    {
        // Somebody caught the refusal and commits what was to be saved with the decision all the same.
        if (_refused is { } refused && ReferenceEquals(refused.Transaction, transaction))
            throw new HalfMessageDecidedException(refused.Exception);
        return _saving && _ownTransaction;
    }

    private bool HasSaved(DbContext dbContext)
    {
        var saved = _saving;
        EndOfSave(dbContext);
        return saved && _wanted.Count > 0;
    }

    private void EndOfSave(DbContext dbContext)
    {
        if (_behavior is { } behavior)
            dbContext.Database.AutoTransactionBehavior = behavior;
        (_behavior, _saving) = (null, false);
        dbContext.SaveChangesFailed -= NotSaved;
    }

    private void NotSaved(object? dbContext, SaveChangesFailedEventArgs failure) => EndOfSave((DbContext)dbContext!);

    private void Refuse(DbContext dbContext, HalfMessageDecidedException exception)
    {
        if (dbContext.Database.CurrentTransaction is { } transaction)
            _refused = (transaction.GetDbTransaction(), exception);
        else
            (dbContext.Database.GetEnlistedTransaction() ?? Transaction.Current)?.Rollback(exception);
    }

    private void Made(DbContext dbContext)
    {
        if (!dbContext.HasTransaction())
        {
            _wanted.Clear();
            registration.WakeUp.Raise();
            return;
        }

        // Once the changes count as saved they are never saved again, and the decision must not be made without them. While
        // they do not (acceptAllChangesOnSuccess: false), a repetition saves both.
        _madeInTransaction = true;
        if (!HasUnsavedChanges(dbContext))
            _wanted.Clear();
    }

    private static bool HasUnsavedChanges(DbContext dbContext)
    {
        var detect = dbContext.ChangeTracker.AutoDetectChangesEnabled;
        dbContext.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            return dbContext.ChangeTracker.Entries().Any(e => e.State is EntityState.Added or EntityState.Modified or EntityState.Deleted);
        }
        finally
        {
            dbContext.ChangeTracker.AutoDetectChangesEnabled = detect;
        }
    }
}
