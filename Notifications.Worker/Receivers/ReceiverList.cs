using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

internal static class ReceiverList
{
    private const string List = "receivers";

    public static void MapReceiverList(this IEndpointRouteBuilder routes) => routes.MapGet("/receivers", ReadPage);

    private static async Task<Page<ReceiverView>> ReadPage(
        [AsParameters] PageRequest request, NotificationsDb db, CancellationToken cancellationToken)
    {
        var (after, limit) = request.Read(List);
        var receivers = db.Receivers.AsNoTracking();
        if (after is { } cursor)
        {
            var at = new DateTime(cursor.Position, DateTimeKind.Utc);
            receivers = receivers.Where(r => r.CreatedAt > at || (r.CreatedAt == at && r.Id.CompareTo(cursor.Id) > 0));
        }

        var rows = await receivers.OrderBy(r => r.CreatedAt).ThenBy(r => r.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return Page.From(rows, limit, ReceiverView.Of, last => new Cursor(last.CreatedAt.Ticks, last.Id), List);
    }
}

/// <summary>A receiver as the operator sees it.</summary>
/// <param name="EventTypes">What it may be told of; null: everything.</param>
public sealed record ReceiverView(Guid Id, string Name, IReadOnlyList<string>? EventTypes, DateTime CreatedAt)
{
    public static ReceiverView Of(Receiver r) => new(r.Id, r.Name, EventTypeList.Read(r.EventTypes), r.CreatedAt);
}
