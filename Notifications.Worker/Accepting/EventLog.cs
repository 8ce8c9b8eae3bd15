using MassTransit;
using Microsoft.EntityFrameworkCore;
using ServiceDefaults;

namespace Notifications;

/// <summary>Takes in what happened, once, with a notification for each receiver that is to be told.</summary>
public sealed class EventLog(NotificationsDb db, TimeProvider time)
{
    /// <summary>Adds the event and its notifications, to be saved by the caller; nothing when it is there already.</summary>
    public async Task Add(
        string type, string businessKey, DateTime occurredAt, string data, CancellationToken cancellationToken)
    {
        if (await db.Events.AnyAsync(e => e.Type == type && e.BusinessKey == businessKey, cancellationToken))
        {
            return;   // told before, under another message id
        }

        var happened = new BusinessEvent
        {
            Id = NewId.NextGuid(),
            Type = type,
            BusinessKey = businessKey,
            Data = data,
            OccurredAt = occurredAt,
        };
        db.Events.Add(happened);
        foreach (var receiverId in await db.Receivers.Select(r => r.Id).ToListAsync(cancellationToken))
        {
            db.Notifications.Add(new Notification
            {
                Id = NewId.NextGuid(),
                ReceiverId = receiverId,
                Event = happened,
                CreatedAt = time.UtcNow(),
            });
        }
    }
}
