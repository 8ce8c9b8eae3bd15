using System.Diagnostics;
using MassTransit;
using MassTransit.Courier.Contracts;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Outbox.Capturing;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>
/// One transaction a message: claim the inbox row, run the consumer, save its changes and its outgoing messages, commit.
/// </summary>
internal sealed class InboxContextFactory<TDbContext>(
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, InboxTransactions<TDbContext> transactions,
    TDbContext dbContext, IServiceProvider provider, TimeProvider time, ILogger<InboxMessage> logger)
    : IOutboxContextFactory<TDbContext>
    where TDbContext : DbContext
{
    public async Task Send<T>(ConsumeContext<T> context, OutboxConsumeOptions options, IPipe<OutboxConsumeContext<T>> next)
        where T : class
    {
        var entry = InboxEntry.Of(context, options);
        context.TryGetPayload(out StoredRedelivery<TDbContext>? redelivery);
        InboxConsumeContext<T>? inbox = null;
        var timer = Stopwatch.StartNew();
        try
        {
            await dbContext.Retrying(async () =>
            {
                // What the attempt before this one has left behind.
                if (inbox is not null)
                    dbContext.ChangeTracker.Clear();
                inbox = null;

                var transaction = await transactions.Begin(dbContext, () => Claim(entry, context.CancellationToken), context.CancellationToken).ConfigureAwait(false);
                if (transaction is null)
                {
                    InboxLog.Duplicate(logger, entry.MessageId, entry.ConsumerId, entry.Pass);
                    return;
                }

                await using (transaction.ConfigureAwait(false))
                {
                    if (typeof(T) == typeof(RoutingSlip))
                        await transaction.Mark(context.CancellationToken).ConfigureAwait(false);
                    inbox = new InboxConsumeContext<T>(context, options, provider, Work(entry, transaction));
                    await next.Send(inbox).ConfigureAwait(false);
                    await transaction.Commit().ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // An outer retry may come back with the same scope, and so with the same DbContext.
            dbContext.ChangeTracker.Clear();
            redelivery?.Failed(entry);
            var told = inbox is not null && await inbox.RolledBack().ConfigureAwait(false);
            if (!told)
                await context.NotifyFaulted(timer.Elapsed, options.ConsumerType, exception).ConfigureAwait(false);
            throw;
        }

        redelivery?.Succeeded(entry);
        if (inbox is not null)
            await inbox.Committed().ConfigureAwait(false);
        await next.Send(new InboxConsumeContext<T>(context, options, provider, work: null)).ConfigureAwait(false);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("inbox").Add("dbContext", typeof(TDbContext).Name);

    private InboxWork Work(InboxEntry entry, InboxTransaction transaction)
        => new(
            entry, dbContext, transaction, new OutboxCapture(registration, dbContext, provider, time), store.Inbox,
            registration.Options.DuplicateDetectionWindow, time);

    /// <summary>Whether the delivery may run. While another one of the same message is running, waits for its end.</summary>
    private async Task<bool> Claim(InboxEntry entry, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var claimed = await dbContext.Execute(
            store.Inbox, store.Inbox.Claim, cancellationToken,
            ("message", entry.MessageId), ("consumer", entry.ConsumerId), ("pass", entry.Pass),
            ("now", now), ("expires", now + registration.Options.DuplicateDetectionWindow)).ConfigureAwait(false);
        return claimed > 0;
    }
}
