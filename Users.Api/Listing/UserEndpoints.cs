using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Users;

internal static class UserEndpoints
{
    private const string List = "users";

    public static void MapUserLists(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/users/{id:guid}", Find);
        routes.MapGet("/users", ReadPage);
    }

    private static async Task<IResult> Find(Guid id, UsersDb db, CancellationToken cancellationToken)
    {
        var user = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Id == id, cancellationToken);
        return user is null ? Problems.NotFound("There is no user with this id.") : TypedResults.Ok(UserView.Of(user));
    }

    private static async Task<Page<UserView>> ReadPage(
        [AsParameters] PageRequest request, UsersDb db, CancellationToken cancellationToken)
    {
        var (after, limit) = request.Read(List);
        var users = db.Users.AsNoTracking();
        if (after is { } cursor)
        {
            var at = new DateTime(cursor.Position, DateTimeKind.Utc);
            users = users.Where(u => u.RegisteredAt > at || (u.RegisteredAt == at && u.Id.CompareTo(cursor.Id) > 0));
        }

        var rows = await users.OrderBy(u => u.RegisteredAt).ThenBy(u => u.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return Page.From(rows, limit, UserView.Of, last => new Cursor(last.RegisteredAt.Ticks, last.Id), List);
    }
}

/// <summary>A user as the API shows it.</summary>
public sealed record UserView(Guid Id, string UserName, string Email, DateTime RegisteredAt)
{
    public static UserView Of(User user) => new(user.Id, user.UserName, user.Email, user.RegisteredAt);
}
