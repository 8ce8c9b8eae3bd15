using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Points;

internal static class AccountEndpoints
{
    public static void MapAccounts(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/accounts/{userId:guid}", Find);
        routes.MapGet("/accounts/{userId:guid}/entries", ReadEntries);
    }

    private static async Task<IResult> Find(Guid userId, PointsDb db, CancellationToken cancellationToken)
    {
        var account = await db.Accounts.AsNoTracking().SingleOrDefaultAsync(a => a.UserId == userId, cancellationToken);
        return account is null
            ? NoAccount()
            : TypedResults.Ok(new AccountView(account.UserId, account.Balance, account.UpdatedAt));
    }

    private static async Task<IResult> ReadEntries(
        Guid userId, [AsParameters] PageRequest request, PointsDb db, CancellationToken cancellationToken)
    {
        var list = $"entries:{userId}";
        var (after, limit) = request.Read(list);
        if (!await db.Accounts.AnyAsync(a => a.UserId == userId, cancellationToken))
        {
            return NoAccount();
        }

        var position = after?.Position ?? 0;
        var rows = await db.Entries.AsNoTracking()
            .Where(e => e.UserId == userId && e.Number > position)
            .OrderBy(e => e.Number)
            .Take(limit + 1)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(Page.From(rows, limit, Show, last => new Cursor(last.Number, userId), list));
    }

    private static EntryView Show(LedgerEntry e) =>
        new(e.Id, e.Amount, e.Balance, e.Reason, e.BusinessKey, e.CreditedAt);

    private static IResult NoAccount() => Problems.NotFound("This user has no account: nothing was credited yet.");
}

/// <summary>An account as the API shows it.</summary>
public sealed record AccountView(Guid UserId, long Balance, DateTime UpdatedAt);

/// <summary>A ledger entry as the API shows it.</summary>
public sealed record EntryView(
    Guid Id, long Amount, long Balance, string Reason, string BusinessKey, DateTime CreditedAt);
