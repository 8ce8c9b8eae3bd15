using System.Diagnostics;
using MassTransit;
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
    OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, TDbContext dbContext, IServiceProvider provider,
    TimeProvider time, ILogger<InboxMessage> logger)
    : IOutboxContextFactory<TDbContext>
    where TDbContext : DbContext
{
    private readonly OutboxCapture _capture = new(registration, dbContext, provider, time);

    public async Task Send<T>(ConsumeContext<T> context, OutboxConsumeOptions options, IPipe<OutboxConsumeContext<T>> next)
        where T : class
    {
        var entry = InboxEntry.Of(context, options);
        var timer = Stopwatch.StartNew();
        InboxConsumeContext<T>? inbox = null;
        try
        {
            var strategy = dbContext.Database.CreateExecutionStrategy();
            await strategy.ExecuteAsync(async () =>
            {
                // What an attempt before this one left behind, here or under an outer retry that shares the scope.
                if (inbox is not null)
                    dbContext.ChangeTracker.Clear();
                inbox = new InboxConsumeContext<T>(context, options, provider, dbContext, _capture);
                await Consume(entry, inbox, next).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            dbContext.ChangeTracker.Clear();
            var told = inbox is not null && await inbox.RolledBack().ConfigureAwait(false);
            if (!told)
                await context.NotifyFaulted(timer.Elapsed, options.ConsumerType, exception).ConfigureAwait(false);
            throw;
        }

        await inbox!.Committed().ConfigureAwait(false);
        await next.Send(new InboxConsumeContext<T>(context, options, provider, dbContext, _capture) { Completing = true }).ConfigureAwait(false);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("inbox").Add("dbContext", typeof(TDbContext).Name);

    private async Task Consume<T>(InboxEntry entry, InboxConsumeContext<T> inbox, IPipe<OutboxConsumeContext<T>> next)
        where T : class
    {
        var transaction = await dbContext.Database.BeginTransactionAsync(registration.Options.IsolationLevel, inbox.CancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            if (!await Claim(entry, inbox.CancellationToken).ConfigureAwait(false))
            {
                InboxLog.Duplicate(logger, entry.MessageId, entry.ConsumerId, entry.Pass);
                return;
            }

            await next.Send(inbox).ConfigureAwait(false);

            // Not to be given up half way: whoever cancels now could not know whether it was committed.
            await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the delivery may run. While another one of the same message is running, waits for its end.</summary>
    private async Task<bool> Claim(InboxEntry entry, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var claimed = await dbContext.Execute(
            store.Dialect.InboxClaim, cancellationToken,
            ("message", entry.MessageId), ("consumer", entry.ConsumerId), ("pass", entry.Pass),
            ("now", now), ("expires", now + registration.Options.DuplicateDetectionWindow)).ConfigureAwait(false);
        return claimed > 0;
    }
}
