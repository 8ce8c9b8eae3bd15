using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>Reads a receiver's feed, and waits for what comes next.</summary>
internal sealed class FeedReader(NotificationsDb db, FeedSignal signal, IHostApplicationLifetime lifetime, TimeProvider time)
{
    internal const int Few = 1000;

    // What other replicas number is not signalled here.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    /// <summary>A page; an empty one only when the wait is over, or the service stops.</summary>
    public async Task<Page<NotificationView>> Read(Guid receiverId, FeedQuery query, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            var coming = signal.Next(receiverId);
            var page = await ReadNow(receiverId, query, cancellationToken);
            var left = query.Wait - time.GetElapsedTime(started);
            if (page.Items.Count > 0 || left <= TimeSpan.Zero || lifetime.ApplicationStopping.IsCancellationRequested)
            {
                return page;
            }

            await Wait(coming, left < Look ? left : Look, cancellationToken);
        }
    }

    // Where the feed ends is read first: what is numbered while the page is read comes after it, and after 'next'.
    private async Task<Page<NotificationView>> ReadNow(Guid receiverId, FeedQuery query, CancellationToken cancellationToken)
    {
        var end = await db.FeedCounters.Select(c => c.Last).SingleAsync(cancellationToken);
        var rows = end > query.After ? await Rows(receiverId, query, end, cancellationToken) : [];
        var next = rows.Count == query.Limit ? rows[^1].Notification.Position!.Value : Math.Max(end, query.After);
        return new Page<NotificationView>(
            rows.ConvertAll(row => row.View()), new Cursor(next, Guid.Empty).Write(FeedQuery.List));
    }

    private async Task<List<ShownNotification>> Rows(Guid receiverId, FeedQuery query, long end, CancellationToken cancellationToken)
    {
        var shown = db.Shown(receiverId).Where(s => s.Notification.Position > query.After && s.Notification.Position <= end);
        shown = query.Type is null ? shown : shown.Where(s => s.Event.Type == query.Type);
        shown = query.Status is null ? shown : await InState(shown, receiverId, query.Status.Value, cancellationToken);
        shown = query.Acknowledged is null ? shown : shown.Where(s => (s.Notification.AcknowledgedAt != null) == query.Acknowledged);
        return await shown.OrderBy(s => s.Notification.Position).Take(query.Limit).ToListAsync(cancellationToken);
    }

    // The state is not a column, and the few that are exhausted may lie among millions that are not. They are found by their
    // deliveries, by index; where there are many, the feed is gone through, since the next of them is never far.
    private async Task<IQueryable<ShownNotification>> InState(
        IQueryable<ShownNotification> shown, Guid receiverId, DeliveryState state, CancellationToken cancellationToken)
    {
        var inState = shown.Where(s => s.Status == state);
        if (state is DeliveryState.Held or DeliveryState.Acknowledged)
        {
            return inState;   // those are no matter of the deliveries alone
        }

        var candidates = await db.Counted()
            .Where(d => d.State == state && db.Endpoints.Any(e => e.Id == d.EndpointId && e.ReceiverId == receiverId))
            .Select(d => d.NotificationId).Take(Few + 1).ToListAsync(cancellationToken);
        return candidates.Count > Few ? inState : inState.Where(s => candidates.Contains(s.Notification.Id));
    }

    private async Task Wait(Task coming, TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await coming.WaitAsync(atMost, time, stop.Token);
        }
        catch (TimeoutException)
        {
            // It is time to look.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The service stops: the caller gets what there is.
        }
    }
}
