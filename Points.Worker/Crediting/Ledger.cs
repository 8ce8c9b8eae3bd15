using Contracts;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Points;

/// <summary>Writes credits. Call it within a transaction: its statements belong together.</summary>
public sealed class Ledger(PointsDb db, TimeProvider time)
{
    /// <summary>Adds an entry and its amount to the balance.</summary>
    /// <returns>The entry, to be saved by the caller; <c>null</c> when the fact was credited before.</returns>
    /// <remarks>
    /// The balance is raised by the database itself, which locks the row: of two credits to one account the second
    /// waits for the first and adds to its result. Only the very first two can collide, both having found no account;
    /// the slower one fails on the key when it is saved and is tried again.
    /// </remarks>
    public async Task<LedgerEntry?> Add(Credit credit, CancellationToken cancellationToken)
    {
        if (await db.Entries.AnyAsync(e => e.BusinessKey == credit.BusinessKey, cancellationToken))
        {
            return null;
        }

        var now = time.UtcNow();
        var account = await Raise(credit, now, cancellationToken);
        var entry = new LedgerEntry
        {
            Id = NewId.NextGuid(),
            UserId = credit.UserId,
            Number = account.Entries,
            Amount = credit.Amount,
            Balance = account.Balance,
            Reason = credit.Reason,
            BusinessKey = credit.BusinessKey,
            CreditedAt = now,
        };
        db.Entries.Add(entry);
        return entry;
    }

    /// <summary>Adds a credit and publishes that it was added; nothing at all when the fact was credited before.</summary>
    public async Task AddAndTell(Credit credit, ConsumeContext context)
    {
        if (await Add(credit, context.CancellationToken) is not { } entry)
        {
            return;   // told before, under another message id
        }

        await context.Publish(
            new PointsCredited(
                entry.Id, entry.UserId, entry.Amount, entry.Balance, entry.Reason, entry.BusinessKey, entry.CreditedAt),
            context.CancellationToken);
    }

    private async Task<Account> Raise(Credit credit, DateTime now, CancellationToken cancellationToken)
    {
        var account = db.Accounts.Where(a => a.UserId == credit.UserId);
        var raised = await account.ExecuteUpdateAsync(
            set => set
                .SetProperty(a => a.Balance, a => a.Balance + credit.Amount)
                .SetProperty(a => a.Entries, a => a.Entries + 1)
                .SetProperty(a => a.UpdatedAt, now),
            cancellationToken);
        if (raised > 0)
        {
            return await account.AsNoTracking().SingleAsync(cancellationToken);
        }

        var opened = new Account { UserId = credit.UserId, Balance = credit.Amount, Entries = 1, UpdatedAt = now };
        db.Accounts.Add(opened);
        return opened;
    }
}

/// <summary>A fact that is worth points.</summary>
/// <param name="UserId">Whose account.</param>
/// <param name="Amount">How many.</param>
/// <param name="Reason">Why, in a word.</param>
/// <param name="BusinessKey">The fact's own name: credited once, however often it is told.</param>
public sealed record Credit(Guid UserId, long Amount, string Reason, string BusinessKey);
