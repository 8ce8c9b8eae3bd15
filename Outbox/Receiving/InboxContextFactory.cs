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
        var intake = Intake<T>.Instance;
        var messages = intake.Messages(context, options);
        IReadOnlyCollection<ConsumeContext> claimed = [];
        InboxConsumeContext<T>? inbox = null;
        var timer = Stopwatch.StartNew();
        try
        {
            await dbContext.Retrying(async () =>
            {
                // What the attempt before this one has left behind.
                if (inbox is not null)
                    dbContext.ChangeTracker.Clear();
                (inbox, claimed) = (null, []);

                var transaction = await transactions.Begin(dbContext, Claim, context.CancellationToken).ConfigureAwait(false);
                foreach (var (entry, _) in messages.Where(m => !claimed.Contains(m.Message)))
                    InboxLog.Duplicate(logger, entry.MessageId, entry.ConsumerId, entry.Pass);
                if (transaction is null)
                    return;

                await using (transaction.ConfigureAwait(false))
                {
                    if (typeof(T) == typeof(RoutingSlip))
                        await transaction.Mark(context.CancellationToken).ConfigureAwait(false);
                    inbox = intake.Context(context, options, provider, Work(transaction), claimed);
                    await next.Send(inbox).ConfigureAwait(false);
                    await transaction.Commit().ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // An outer retry may come back with the same scope, and so with the same DbContext.
            dbContext.ChangeTracker.Clear();
            await Part(intake, messages, claimed, timer.Elapsed, options).ConfigureAwait(false);
            var told = inbox is not null && await inbox.RolledBack().ConfigureAwait(false);
            if (!told)
                await context.NotifyFaulted(timer.Elapsed, options.ConsumerType, exception).ConfigureAwait(false);
            throw;
        }

        foreach (var (entry, message) in messages)
            Redelivery(message)?.Succeeded(entry);
        if (inbox is not null)
            await inbox.Committed().ConfigureAwait(false);
        await next.Send(new InboxConsumeContext<T>(context, options, provider, work: null, [])).ConfigureAwait(false);

        async Task<bool> Claim()
        {
            claimed = await ClaimOf(messages, context.CancellationToken).ConfigureAwait(false);
            return claimed.Count > 0;
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("inbox").Add("dbContext", typeof(TDbContext).Name);

    private static StoredRedelivery<TDbContext>? Redelivery(ConsumeContext message)
        => message.TryGetPayload(out StoredRedelivery<TDbContext>? redelivery) ? redelivery : null;

    /// <summary>A batch has failed: its messages are to be delivered again, except those that had been consumed before.</summary>
    private static async Task Part<T>(
        Intake<T> intake, IReadOnlyList<(InboxEntry Entry, ConsumeContext Message)> messages, IReadOnlyCollection<ConsumeContext> claimed, TimeSpan elapsed, OutboxConsumeOptions options)
        where T : class
    {
        var failed = claimed.Count == 0
            ? messages.Select(m => m.Entry.MessageId).ToHashSet()
            : messages.Where(m => claimed.Contains(m.Message)).Select(m => m.Entry.MessageId).ToHashSet();
        foreach (var (entry, message) in messages)
        {
            if (failed.Contains(entry.MessageId))
                Redelivery(message)?.Failed(entry);
            else
                await intake.Delivered(message, elapsed, options.ConsumerType).ConfigureAwait(false);
        }
    }

    private InboxWork Work(InboxTransaction transaction)
        => new(dbContext, transaction, new OutboxCapture(registration, dbContext, provider, time), registration.Options.DuplicateDetectionWindow, time);

    /// <summary>The messages that may run. While another delivery of one of them is running, waits for its end.</summary>
    private async Task<IReadOnlyCollection<ConsumeContext>> ClaimOf(IReadOnlyList<(InboxEntry Entry, ConsumeContext Message)> messages, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var expires = now + registration.Options.DuplicateDetectionWindow;

        // A message and its redelivered copy may be in one batch: only the later of them can be the awaited one.
        var sorted = messages.GroupBy(m => m.Entry.MessageId).Select(same => same.MaxBy(m => m.Entry.Pass)).OrderBy(m => m.Entry.MessageId).ToList();
        if (sorted.Count > 1 && store.Inbox.ClaimMany is { } claimMany)
        {
            var ids = await dbContext.Query<Guid>(
                store.Inbox, claimMany, cancellationToken,
                ("messages", store.Inbox.List([.. sorted.Select(m => m.Entry.MessageId)])), ("passes", store.Inbox.List([.. sorted.Select(m => (long)m.Entry.Pass)])),
                ("consumer", sorted[0].Entry.ConsumerId), ("now", now), ("expires", expires)).ConfigureAwait(false);
            var found = ids.ToHashSet();
            return sorted.Where(m => found.Contains(m.Entry.MessageId)).Select(m => m.Message).ToHashSet();
        }

        var claimed = new HashSet<ConsumeContext>();
        foreach (var (entry, message) in sorted)
        {
            var changed = await dbContext.Execute(
                store.Inbox, store.Inbox.Claim, cancellationToken,
                ("message", entry.MessageId), ("consumer", entry.ConsumerId), ("pass", entry.Pass), ("now", now), ("expires", expires)).ConfigureAwait(false);
            if (changed > 0)
                claimed.Add(message);
        }

        return claimed;
    }
}
