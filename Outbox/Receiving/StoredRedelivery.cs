using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Outbox.Capturing;
using Outbox.Databases;
using Outbox.Telemetry;

namespace Outbox.Receiving;

/// <summary>
/// How <c>UseDelayedRedelivery</c> and <c>UseScheduledRedelivery</c> redeliver on an endpoint with an inbox: the consumer's
/// transaction was rolled back, so the copy gets a transaction of its own, together with the note that it is awaited. No
/// scheduler and no delayed exchange is needed.
/// </summary>
internal sealed class StoredRedelivery<TDbContext>(
    ConsumeContext context, OutboxRegistration<TDbContext> registration, OutboxStore<TDbContext> store, InboxTransactions<TDbContext> transactions,
    TimeProvider time, ILogger<InboxMessage> logger)
    : MessageRedeliveryContext
    where TDbContext : DbContext
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    // Several consumers of the message may run on the endpoint, each with a row of its own.
    private readonly ConcurrentDictionary<Guid, InboxEntry> _failed = [];

    /// <summary>A consumer's transaction was rolled back: it is what a redelivery would be for.</summary>
    public void Failed(InboxEntry entry) => _failed[entry.ConsumerId] = entry;

    /// <summary>A consumer has got through, at the first or a later try.</summary>
    public void Succeeded(InboxEntry entry) => _failed.TryRemove(entry.ConsumerId, out _);

    public async Task ScheduleRedelivery(TimeSpan delay, Action<ConsumeContext, SendContext>? callback = null)
    {
        var pass = context.GetRedeliveryCount() + 1;
        for (var (attempt, pause) = (1, FirstPause); ; attempt++, pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await Store(pass, delay, callback).ConfigureAwait(false);
                InboxLog.RedeliveryStored(logger, context.MessageId ?? Guid.Empty, pass, delay);
                return;
            }
            catch (Exception exception) when (transactions.IsPassing(exception))
            {
                // The database is away. Failing here would move the message, and every other one of the outage, to the
                // error queue; unacknowledged it stays with the broker, which redelivers it if this process dies.
                if (attempt == 1)
                    InboxLog.RedeliveryWaits(logger, context.MessageId ?? Guid.Empty, pass, typeof(TDbContext).Name, exception);
            }

            await Task.Delay(pause, time, context.CancellationToken).ConfigureAwait(false);
        }
    }

    private async Task Store(int pass, TimeSpan delay, Action<ConsumeContext, SendContext>? callback)
    {
        var scope = store.Open(out var dbContext);
        await using (scope.ConfigureAwait(false))
        {
            await dbContext.Retrying(async () =>
            {
                dbContext.ChangeTracker.Clear();
                var transaction = await transactions.Begin(dbContext, () => Await(dbContext, pass, delay), context.CancellationToken).ConfigureAwait(false);
                await using (transaction!.ConfigureAwait(false))
                {
                    var capture = new OutboxCapture(registration, dbContext, scope.ServiceProvider, time);
                    await new RedeliveryCopy(context, delay, time, callback)
                        .SendTo(new OutboxSendEndpointProvider(capture, context.ReceiveContext.SendEndpointProvider)).ConfigureAwait(false);
                    await dbContext.SaveChangesAsync(context.CancellationToken).ConfigureAwait(false);
                    await transaction!.Commit().ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        }
    }

    private async Task<bool> Await(DbContext dbContext, int pass, TimeSpan delay)
    {
        var expires = time.GetUtcNow().UtcDateTime + delay + registration.Options.DuplicateDetectionWindow;

        // In one order everywhere, so that two redeliveries of the same message cannot wait for each other.
        foreach (var entry in _failed.Values.OrderBy(e => e.ConsumerId))
        {
            await dbContext.Execute(
                store.Inbox, store.Inbox.Await, context.CancellationToken,
                ("message", entry.MessageId), ("consumer", entry.ConsumerId), ("pass", pass), ("expires", expires)).ConfigureAwait(false);
        }

        return true;
    }
}

/// <summary>Gives each message of the endpoint its <see cref="StoredRedelivery{TDbContext}"/> before any other filter looks for one.</summary>
internal sealed class StoredRedeliveryFilter<TDbContext>(IServiceProvider provider) : IFilter<ConsumeContext>
    where TDbContext : DbContext
{
    private readonly OutboxRegistration<TDbContext> _registration = provider.GetRequiredService<OutboxRegistration<TDbContext>>();
    private readonly OutboxStore<TDbContext> _store = provider.GetRequiredService<OutboxStore<TDbContext>>();
    private readonly InboxTransactions<TDbContext> _transactions = provider.GetRequiredService<InboxTransactions<TDbContext>>();
    private readonly TimeProvider _time = provider.GetRequiredService<TimeProvider>();
    private readonly ILogger<InboxMessage> _logger = provider.GetRequiredService<ILogger<InboxMessage>>();

    public Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var redelivery = new StoredRedelivery<TDbContext>(context, _registration, _store, _transactions, _time, _logger);
        context.AddOrUpdatePayload(() => redelivery, _ => redelivery);
        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("storedRedelivery").Add("dbContext", typeof(TDbContext).Name);
}
