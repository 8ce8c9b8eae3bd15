using MassTransit;
using Microsoft.EntityFrameworkCore;
using Outbox;
using ServiceDefaults;

namespace Notifications;

/// <summary>
/// Does a part of a job: some notifications, in one transaction with how far the job is and the message for the next part.
/// The inbox saves and commits.
/// </summary>
public sealed class RecoverDeliveries(
    NotificationsDb db, DeliveryStart deliveries, IOutbox<NotificationsDb> outbox, TimeProvider time) : IConsumer<ContinueJob>
{
    internal const int Batch = 100;

    public async Task Consume(ConsumeContext<ContinueJob> context)
    {
        var cancellationToken = context.CancellationToken;
        var job = await db.Jobs.SingleOrDefaultAsync(j => j.Id == context.Message.JobId && j.Part == context.Message.Part && j.State == JobState.Running, cancellationToken);
        if (job is null)
        {
            return;   // done by another message for the same part
        }

        var endpoint = await db.Endpoints.AsNoTracking().SingleAsync(e => e.Id == job.EndpointId, cancellationToken);
        var part = endpoint.State == EndpointState.Deleted ? [] : await Next(job, cancellationToken);
        if (part.Count > 0)
        {
            job.Recovered += await Recover(job, endpoint, [.. part.Select(n => n.Id)], cancellationToken);
            (job.LastCreatedAt, job.LastId) = (part[^1].CreatedAt, part[^1].Id);
        }

        (job.Part, job.ProgressAt) = (job.Part + 1, time.UtcNow());
        if (part.Count == Batch)
        {
            await outbox.Send(ContinueJob.Address, new ContinueJob(job.Id, job.Part), cancellationToken);
        }
        else
        {
            (job.State, job.FinishedAt) = (JobState.Done, job.ProgressAt);
        }
    }

    private Task<List<Notification>> Next(Job job, CancellationToken cancellationToken)
    {
        var rest = db.Notifications.AsNoTracking()
            .Where(n => n.ReceiverId == job.ReceiverId && n.CreatedAt >= job.Since && n.CreatedAt < job.Until);
        if (job is { LastCreatedAt: { } at, LastId: { } id })
        {
            rest = rest.Where(n => n.CreatedAt > at || (n.CreatedAt == at && n.Id.CompareTo(id) > 0));
        }

        return rest.OrderBy(n => n.CreatedAt).ThenBy(n => n.Id).Take(Batch).ToListAsync(cancellationToken);
    }

    private async Task<int> Recover(Job job, WebhookEndpoint endpoint, List<Guid> ids, CancellationToken cancellationToken)
    {
        await db.LockUnacknowledged(ids, cancellationToken);
        var rows = await (
            from notification in db.Notifications
            where ids.Contains(notification.Id) && notification.AcknowledgedAt == null && notification.Event.Body != null
            orderby notification.CreatedAt, notification.Id
            from delivery in db.Deliveries
                .Where(d => d.NotificationId == notification.Id && d.EndpointId == endpoint.Id)
                .DefaultIfEmpty()
            select new { notification.Id, notification.Event.Type, DeliveryId = (Guid?)delivery!.Id }).ToListAsync(cancellationToken);
        if (job.Scope == JobScope.Failed)
        {
            return await deliveries.BeginAnew(
                [.. rows.Where(row => row.DeliveryId is not null).Select(row => row.DeliveryId!.Value)],
                DeliveryState.Exhausted,
                endpoint.State,
                cancellationToken);
        }

        var missing = rows.FindAll(row =>
            row.DeliveryId is null && endpoint.EventTypes.Contains(EventTypeList.Item(row.Type), StringComparison.Ordinal));
        foreach (var row in missing)
        {
            await deliveries.Begin(row.Id, endpoint.Id, endpoint.State, cancellationToken);
        }

        return missing.Count;
    }
}

public sealed class RecoverDeliveriesDefinition : ConsumerDefinition<RecoverDeliveries>
{
    public RecoverDeliveriesDefinition() => EndpointName = ContinueJob.Queue;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<RecoverDeliveries> consumerConfigurator,
        IRegistrationContext context) =>
        endpointConfigurator.UseServiceInbox<NotificationsDb>(context);
}
