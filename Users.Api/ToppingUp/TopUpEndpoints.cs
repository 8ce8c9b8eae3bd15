using Microsoft.EntityFrameworkCore;
using Outbox;
using ServiceDefaults;

namespace Users;

internal static class TopUpEndpoints
{
    public const string Path = "/top-ups";

    public static void MapTopUps(this IEndpointRouteBuilder routes)
    {
        routes.MapGet($"{Path}/{{id:guid}}", Find);
        routes.MapGet($"/users/{{userId:guid}}{Path}", ReadPage);
    }

    private static async Task<IResult> Find(Guid id, UsersDb db, CancellationToken cancellationToken)
    {
        var topUp = await db.TopUps.AsNoTracking().SingleOrDefaultAsync(t => t.Id == id, cancellationToken);
        return topUp is null
            ? Problems.NotFound("There is no top-up with this id.")
            : TypedResults.Ok((await Show([topUp], db, cancellationToken)).Single());
    }

    private static async Task<IResult> ReadPage(
        Guid userId, [AsParameters] PageRequest request, UsersDb db, CancellationToken cancellationToken)
    {
        var list = $"top-ups:{userId}";
        var (after, limit) = request.Read(list);
        if (!await db.Users.AnyAsync(u => u.Id == userId, cancellationToken))
        {
            return Problems.NotFound("There is no user with this id.");
        }

        var topUps = db.TopUps.AsNoTracking().Where(t => t.UserId == userId);
        if (after is { } cursor)
        {
            var at = new DateTime(cursor.Position, DateTimeKind.Utc);
            topUps = topUps.Where(t => t.StartedAt > at || (t.StartedAt == at && t.Id.CompareTo(cursor.Id) > 0));
        }

        var rows = await topUps.OrderBy(t => t.StartedAt).ThenBy(t => t.Id).Take(limit + 1).ToListAsync(cancellationToken);
        var views = (await Show(rows, db, cancellationToken)).ToDictionary(view => view.Id);
        return TypedResults.Ok(Page.From(rows, limit, row => views[row.Id], last => new Cursor(last.StartedAt.Ticks, last.Id), list));
    }

    // No check-back will decide a pending top-up any more whose message is undecided.
    private static async Task<IEnumerable<TopUpView>> Show(List<TopUp> topUps, UsersDb db, CancellationToken cancellationToken)
    {
        var pending = topUps.Where(t => t.State == TopUpState.Pending).Select(t => t.MessageId).ToList();
        var undecided = pending.Count == 0 ? [] : await db.Set<OutboxMessage>().AsNoTracking()
            .Where(m => pending.Contains(m.MessageId) && m.State == OutboxMessageState.Prepared && m.DueAt == null)
            .Select(m => m.MessageId)
            .ToHashSetAsync(cancellationToken);
        return topUps.Select(topUp => TopUpView.Of(
            topUp, undecided.Contains(topUp.MessageId) ? "undecided" : TopUpView.Word(topUp.State)));
    }
}

/// <summary>A top-up as the API shows it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="UserId">Whose it is.</param>
/// <param name="Amount">Points, and what they cost.</param>
/// <param name="State"><c>pending</c>, <c>succeeded</c>, <c>failed</c>, or <c>undecided</c>: an operator has to find out.</param>
public sealed record TopUpView(Guid Id, Guid UserId, long Amount, string State)
{
    public static TopUpView Of(TopUp topUp, string state) => new(topUp.Id, topUp.UserId, topUp.Amount, state);

    public static string Word(TopUpState state) => state switch
    {
        TopUpState.Succeeded => "succeeded",
        TopUpState.Failed or TopUpState.Refunding => "failed",
        _ => "pending",
    };
}
